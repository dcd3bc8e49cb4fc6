// Draws a picture (the JSON of views/data.py) into an element: for the page, a notebook and the web app alike.
// It computes no attention and formats no number; every string enters as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const FEW = 8; // so many places on an axis leave room for numbers at the marks

/** Draw `data` into `el`, replacing what is there. */
export function draw(el, data) {
  el.classList.add("regard");
  el.replaceChildren(figure(data, { ...data.words }));
}

/** The form that notebooks know (anywidget). */
export default {
  render({ model, el }) {
    const redraw = () => draw(el, model.get("data"));
    model.on("change:data", redraw);
    redraw();
    return () => model.off("change:data", redraw);
  },
};

export function make(tag, looks = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(looks)) {
    if (value !== undefined && value !== null && value !== "") node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// A hint stands under the first picture that it is about, and not again.
function hint(words, name) {
  const sentence = words[name] ?? "";
  delete words[name];
  return sentence;
}

function shape(tag, looks, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(looks)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function figure(data, words) {
  const node = make("section", { class: data.kind });
  if (data.title) node.append(make(words.title ?? "h2", { class: "title" }, data.title));
  node.append(...BODY[data.kind](data, words));
  for (const note of ["reading", "check"]) if (data[note]) node.append(make("p", { class: note }, data[note]));
  return node;
}

function parts(data, words) {
  const signs = data.signs ?? [];
  // Side by side there is no room for hints.
  if (data.kind === "columns") words = { ...words, exact_hint: "", links_hint: "" };
  const drawn = data.parts.flatMap((part, at) => {
    const here = figure(part, words);
    return at < signs.length ? [here, make("span", { class: "sign" }, signs[at])] : [here];
  });
  return [make("div", { class: "parts" }, ...drawn)];
}

function text(data) {
  if (data.level) return [make(`h${Math.min(data.level, 6)}`, {}, data.text)];
  return data.text.split("\n").filter(Boolean).map((part) => make("p", {}, part));
}

// MathML comes from our own converter; here only elements and attributes of MathML pass, whatever came.
function formula(data) {
  const parsed = new DOMParser().parseFromString(data.mathml || "<math/>", "text/html").querySelector("math");
  if (!data.mathml || !parsed) return [make("p", { class: "plain" }, data.plain)];
  for (const node of [parsed, ...parsed.querySelectorAll("*")]) {
    if (node.namespaceURI !== "http://www.w3.org/1998/Math/MathML") return [make("p", { class: "plain" }, data.plain)];
    for (const { name } of [...node.attributes]) if (/^on|href|src|style/i.test(name)) node.removeAttribute(name);
  }
  return [document.importNode(parsed, true)];
}

// ---------------------------------------------------------------- grids

export function grid(data, words) {
  const table = make("table", { class: looks(data), role: "grid" });
  const head = table.createTHead();
  if (data.column_axis) {
    const row = head.insertRow();
    row.append(make("td", { class: "axis" }), make("td", { class: "axis", colspan: data.columns.length }, `${data.column_axis} →`));
  }
  const names = data.columns.map((name) => make("th", { scope: "col" }, make("span", {}, name)));
  if (names.length) {
    head.insertRow().append(make("td", { class: "axis" }, data.row_axis ? `${data.row_axis} ↓` : ""), ...names);
  }
  const body = table.createTBody();
  const cells = data.texts.map((row, at) => {
    const line = body.insertRow();
    if (data.rows.length) line.append(make("th", { scope: "row" }, data.rows[at]));
    return row.map((written, to) => line.appendChild(cell(written, data.shades[at][to])));
  });
  const readout = make("output", { class: "readout" }, hint(words, "exact_hint"));
  walk(data, table, cells, names, readout, words);
  return [make("div", { class: "scroll" }, table), readout];
}

function looks(data) {
  const many = data.columns.length;
  const longest = Math.max(0, ...data.columns.map((name) => [...name].length));
  const upright = many > 12 || (many > 6 && longest > 10);
  return ["cells", data.heat && "heat", upright && "upright"].filter(Boolean).join(" ");
}

function cell(written, shade) {
  const node = make("td", { tabindex: -1 }, written);
  if (shade !== null) {
    node.style.setProperty("--v", Math.abs(shade));
    if (shade < 0) node.className = "negative";
  } else if (written === "" || written === "−∞") node.className = "void";
  return node;
}

// One cell is in the tab order; arrows, Home and End move it. Pointing and focus both tell the exact number.
function walk(data, table, cells, names, readout, words) {
  if (!cells.length || !cells[0].length) return;
  const place = new Map(cells.flatMap((row, at) => row.map((node, to) => [node, [at, to]])));
  const heads = [...table.tBodies[0].rows].map((row) => row.querySelector("th"));
  let marked = null;
  const show = (node) => {
    const [at, to] = place.get(node);
    if (marked) for (const old of marked) old?.classList.remove("at");
    marked = [node, heads[at], names[to]];
    for (const now of marked) now?.classList.add("at");
    const exact = data.exact[at][to];
    const value = exact !== null ? String(exact).replace("-", "−") : node.textContent ? words.hidden : words.blank;
    const pair = [data.rows[at], data.columns[to]].filter(Boolean).join(" · ");
    readout.replaceChildren(`${pair} `, make("b", {}, value ?? ""));
  };
  const go = (at, to) => {
    table.querySelector('td[tabindex="0"]')?.setAttribute("tabindex", -1);
    const next = cells[at][to];
    next.setAttribute("tabindex", 0);
    next.focus();
  };
  cells[0][0].setAttribute("tabindex", 0);
  table.addEventListener("pointerover", (event) => place.has(event.target) && show(event.target));
  table.addEventListener("focusin", (event) => place.has(event.target) && show(event.target));
  table.addEventListener("keydown", (event) => {
    if (!place.has(event.target)) return;
    const [at, to] = place.get(event.target);
    const [last, end] = [cells.length - 1, cells[0].length - 1];
    const next = {
      ArrowUp: [Math.max(at - 1, 0), to],
      ArrowDown: [Math.min(at + 1, last), to],
      ArrowLeft: [at, Math.max(to - 1, 0)],
      ArrowRight: [at, Math.min(to + 1, end)],
      Home: [event.ctrlKey ? 0 : at, 0],
      End: [event.ctrlKey ? last : at, end],
    }[event.key];
    if (!next) return;
    event.preventDefault();
    go(...next);
  });
}

// ---------------------------------------------------------------- tiles

function tiles(data) {
  const table = make("table", { class: "tiles" });
  const head = table.createTHead();
  const axis = (name, sign) => (name ? `${name} ${sign}` : "");
  head.insertRow().append(
    make("td", { class: "axis" }, axis(data.row_axis, "↓")),
    make("td", { class: "axis", colspan: data.columns.length }, axis(data.column_axis, "→")),
  );
  const named = data.rows.length > 0;
  head.insertRow().append(...(named ? [make("td")] : []), ...data.columns.map((name) => make("th", { scope: "col" }, name)));
  const body = table.createTBody();
  data.tiles.forEach((row, at) => {
    const line = body.insertRow();
    if (named) line.append(make("th", { scope: "row" }, data.rows[at]));
    line.append(...row.map((tile) => make("td", {}, tileOf(tile, data.size))));
  });
  return [make("div", { class: "scroll" }, table)];
}

function tileOf(tile, [high, wide]) {
  const svg = shape("svg", { class: "tile", viewBox: `0 0 ${wide} ${high}`, "aria-hidden": "true" });
  for (const [shade, d] of tile) {
    const path = shape("path", { d });
    path.style.setProperty("--v", shade);
    svg.append(path);
  }
  return svg;
}

// ---------------------------------------------------------------- links

function links(data, words) {
  const weave = make("div", { class: "weave" });
  const curves = shape("svg", { class: "curves", "aria-hidden": "true" });
  const rows = { top: wordRow(data, "top"), bottom: wordRow(data, "bottom") };
  weave.append(make("div", { class: "words" }, ...rows.top), curves, make("div", { class: "words" }, ...rows.bottom));
  const ordered = [...data.links].sort((one, other) => one.weight - other.weight);
  const paths = new Map(ordered.map((link) => [link, curves.appendChild(curve(link))]));
  const place = () => {
    for (const [link, path] of paths) path.setAttribute("d", course(rows.top[link.top], rows.bottom[link.bottom], curves));
  };
  new ResizeObserver(place).observe(weave);
  const readout = make("output", { class: "readout" }, hint(words, "links_hint"));
  choose(data, weave, rows, paths, readout);
  const numbers = make("details", {}, make("summary", {}, words.numbers ?? ""), pairs(data));
  return [make("div", { class: "scroll" }, weave), readout, numbers];
}

function wordRow(data, side) {
  const strongest = new Map();
  for (const link of data.links) {
    const best = strongest.get(link.bottom);
    if (!best || link.weight > best.weight) strongest.set(link.bottom, link);
  }
  return data[side].map((word, at) => {
    const button = make("button", { type: "button", "aria-pressed": "false" }, word);
    const under = side === "bottom" ? make("small", {}, strongest.get(at)?.text ?? "") : null;
    return make("div", { class: "word" }, button, under);
  });
}

function curve(link) {
  const strength = Math.min(Math.max(link.weight, 0), 1);
  const path = shape("path", { "stroke-width": 0.8 + 6 * strength, ...(link.kind && { class: link.kind }) });
  path.style.setProperty("--v", strength);
  return path;
}

function course(above, below, curves) {
  const [from, to] = [above, below].map((word) => word.offsetLeft + word.offsetWidth / 2);
  const [start, end] = [5, (curves.clientHeight || 120) - 5];
  const bend = (end - start) * 0.55;
  return `M${from} ${start} C${from} ${start + bend} ${to} ${end - bend} ${to} ${end}`;
}

// Pointing at a word or focusing it shows its links alone; a click holds them, a second click or Escape lets go.
function choose(data, weave, rows, paths, readout) {
  let held = null;
  const quiet = readout.textContent;
  const clear = () => {
    weave.classList.remove("choosing");
    for (const node of weave.querySelectorAll(".lit")) node.classList.remove("lit");
    readout.replaceChildren(quiet);
  };
  const show = (side, at) => {
    clear();
    const other = side === "top" ? "bottom" : "top";
    const mine = data.links.filter((link) => link[side] === at).sort((a, b) => b.weight - a.weight);
    weave.classList.add("choosing");
    rows[side][at].classList.add("lit");
    for (const link of mine) {
      paths.get(link).classList.add("lit");
      rows[other][link[other]].classList.add("lit");
    }
    const told = mine.map((link) => `${data.told_apart[other][link[other]]} ${link.text}`).join(" · ");
    const arrow = side === "top" ? "→" : "←";
    readout.replaceChildren(make("b", {}, data.told_apart[side][at]), ` ${arrow} ${told}`);
  };
  const hold = (next) => {
    held?.button.setAttribute("aria-pressed", "false");
    held = next;
    held?.button.setAttribute("aria-pressed", "true");
  };
  const rest = () => (held ? show(held.side, held.at) : clear());
  for (const side of ["top", "bottom"]) {
    rows[side].forEach((word, at) => {
      const button = word.querySelector("button");
      word.addEventListener("pointerenter", () => show(side, at));
      word.addEventListener("pointerleave", rest);
      button.addEventListener("focus", () => show(side, at));
      button.addEventListener("blur", rest);
      button.addEventListener("click", () => hold(held?.button === button ? null : { button, side, at }));
    });
  }
  weave.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    hold(null);
    clear();
  });
}

function pairs(data) {
  const body = make("tbody");
  data.told_apart.bottom.forEach((word, at) => {
    const mine = data.links.filter((link) => link.bottom === at).sort((a, b) => b.weight - a.weight);
    const items = mine.map((link) => make("li", {}, `${data.told_apart.top[link.top]} `, make("b", {}, link.text)));
    body.append(make("tr", {}, make("th", { scope: "row" }, word), make("td", {}, make("ul", {}, ...items))));
  });
  return make("table", { class: "pairs" }, body);
}

// ---------------------------------------------------------------- tables and marks

function table(data) {
  return [plainTable(data.head, data.rows, data.numeric)];
}

function plainTable(head, rows, numeric) {
  const kind = (at) => ({ class: numeric[at] ? "number" : "" });
  const node = make("table", { class: "table" });
  node.createTHead().insertRow().append(...head.map((name, at) => make("th", { scope: "col", ...kind(at) }, name)));
  const body = node.createTBody();
  for (const row of rows) body.insertRow().append(...row.map((written, at) => make("td", kind(at), written)));
  return make("div", { class: "scroll" }, node);
}

function marks(data, words) {
  if (data.plane) return plane(data, words);
  const places = [...new Set(data.series.flatMap((series) => series.x))];
  const rows = places.map((x) => [String(x), ...data.series.map((series) => series.texts[series.x.indexOf(x)] ?? "")]);
  const numbers = plainTable([data.x_axis, ...data.series.map((s) => s.name)], rows, [false, ...data.series.map(() => true)]);
  const legend = data.series.map((series, at) => tinted(make("li", {}, series.name), at));
  return [
    make("ul", { class: "legend" }, ...legend),
    chart(data, places),
    make("details", {}, make("summary", {}, words.numbers ?? ""), numbers),
  ];
}

// Points with names: where everything stands was found out before, for every medium alike.
function plane(data, words) {
  const { size, kinds, spots, rows } = data.plane;
  const kind = (at) => kinds.indexOf(data.series[at].name);
  const svg = shape("svg", { class: "chart plane", viewBox: `0 0 ${size[0]} ${size[1]}`, "aria-hidden": "true" });
  svg.append(shape("rect", { class: "frame", x: 0.5, y: 0.5, width: size[0] - 1, height: size[1] - 1 }));
  data.series.forEach((series, at) => {
    const own = spots.filter((spot) => spot.series === at);
    const points = own.map((spot) => `${spot.x},${spot.y}`).join(" ");
    if (series.kind === "line") svg.append(tinted(shape("polyline", { class: "line", points }), kind(at)));
    const radius = (spot) => (spot.label || series.kind !== "line" ? 4.5 : 1.5); // a bend on the way is no end
    for (const spot of own) svg.append(tinted(shape("circle", { class: "point", cx: spot.x, cy: spot.y, r: radius(spot) }), kind(at)));
  });
  for (const spot of spots.filter((each) => each.place)) {
    const [x, y] = spot.place;
    if (spot.far) svg.append(shape("line", { class: "base", x1: spot.x, y1: spot.y, x2: x + 4, y2: y + 9 }));
    svg.append(shape("text", { class: "name", x, y: y + 13 }, spot.label));
  }
  const legend = kinds.filter(Boolean).map((name) => tinted(make("li", {}, name), kinds.indexOf(name)));
  return [
    ...(legend.length ? [make("ul", { class: "legend" }, ...legend)] : []),
    svg,
    make("p", { class: "axes" }, `→ ${data.x_axis}　↑ ${data.y_axis}`),
    make("details", {}, make("summary", {}, words.numbers ?? ""), plainTable(["", data.x_axis, data.y_axis], rows, [false, true, true])),
  ];
}

const tinted = (node, at) => {
  node.style.setProperty("--tint", `var(--series-${at % 8})`);
  return node;
};

const BOX = { wide: 640, high: 300, left: 52, right: 16, top: 22, foot: 46 };

function chart(data, places) {
  const svg = shape("svg", { class: "chart", viewBox: `0 0 ${BOX.wide} ${BOX.high}`, "aria-hidden": "true" });
  const scale = scales(data, places);
  for (const tick of scale.ticks) {
    svg.append(shape("line", { class: "rule", x1: BOX.left, x2: BOX.wide - BOX.right, y1: scale.y(tick), y2: scale.y(tick) }));
    svg.append(shape("text", { class: "muted", x: BOX.left - 8, y: scale.y(tick) + 4, "text-anchor": "end" }, String(tick).replace("-", "−")));
  }
  const floor = BOX.high - BOX.foot;
  svg.append(shape("line", { class: "base", x1: BOX.left, x2: BOX.wide - BOX.right, y1: floor, y2: floor }));
  for (const x of scale.named) svg.append(shape("text", { x: scale.x(x), y: floor + 18, "text-anchor": "middle" }, String(x)));
  svg.append(shape("text", { class: "muted", x: (BOX.left + BOX.wide) / 2, y: BOX.high - 6, "text-anchor": "middle" }, data.x_axis));
  svg.append(shape("text", { class: "muted", x: 0, y: 12 }, data.y_axis));
  data.series.forEach((series, at) => svg.append(tinted(run(series, at, data, scale, places.length), at)));
  return svg;
}

function scales(data, places) {
  const bars = data.series.some((series) => series.kind === "bars");
  const reach = data.series.flatMap((s) => s.y.flatMap((y, i) => (y === null ? [] : [y - (s.errors[i] ?? 0), y + (s.errors[i] ?? 0)])));
  const [least, most] = [Math.min(...reach, ...(bars ? [0] : [])), Math.max(...reach, ...(bars ? [0] : []))];
  // Room above and below for the numbers; bars stand on their zero.
  const spare = (most - least || 1) * 0.14;
  const [bottom, top] = [bars && least === 0 ? 0 : least - spare, most + spare];
  const step = niceStep((top - bottom) / 6);
  const lowest = Math.ceil(bottom / step);
  const ticks = Array.from({ length: Math.floor(top / step) - lowest + 1 }, (_, i) => Number(((lowest + i) * step).toPrecision(12)));
  const [left, right, floor] = [BOX.left + 36, BOX.wide - BOX.right - 36, BOX.high - BOX.foot];
  const byName = places.some((x) => typeof x === "string");
  const [first, last] = byName ? [0, places.length - 1] : [Math.min(...places), Math.max(...places)];
  const along = (x) => (byName ? places.indexOf(x) : x);
  return {
    ticks,
    named: places.length <= 12 ? places : [places[0], places[places.length - 1]],
    room: (right - left) / Math.max(1, places.length - 1),
    x: (x) => (last > first ? left + ((along(x) - first) / (last - first)) * (right - left) : (left + right) / 2),
    y: (y) => floor - ((y - bottom) / (top - bottom || 1)) * (floor - BOX.top),
  };
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

// One series: its line, points or bars, its bars of uncertainty, and its numbers where they are few.
function run(series, at, data, scale, count) {
  const group = shape("g", {});
  const wide = Math.min(46, (scale.room * 0.8) / data.series.length);
  const shift = series.kind === "bars" ? (at - (data.series.length - 1) / 2) * wide : 0;
  const known = series.x.map((x, i) => [x, series.y[i], i]).filter(([, y]) => y !== null);
  const points = known.map(([x, y, i]) => ({ i, x: scale.x(x) + shift, y: scale.y(y), place: x, value: y }));
  if (series.kind === "line") group.append(shape("polyline", { class: "line", points: points.map((p) => `${p.x},${p.y}`).join(" ") }));
  for (const p of points) {
    const error = series.errors[p.i];
    const [high, low] = error ? [scale.y(p.value + error), scale.y(p.value - error)] : [p.y, p.y];
    if (series.kind === "bars") {
      const zero = scale.y(0);
      group.append(shape("rect", { class: "bar", x: p.x - wide * 0.46, width: wide * 0.92, y: Math.min(zero, p.y), height: Math.abs(zero - p.y) }));
    } else if (count <= 40) group.append(shape("circle", { class: "point", cx: p.x, cy: p.y, r: 4.5 }));
    if (error) {
      group.append(shape("line", { class: "error", x1: p.x, x2: p.x, y1: high, y2: low }));
      for (const end of [high, low]) group.append(shape("line", { class: "error", x1: p.x - 4, x2: p.x + 4, y1: end, y2: end }));
    }
    if (count <= FEW) {
      const highest = data.series.every((other) => (other.y[other.x.indexOf(p.place)] ?? -Infinity) <= p.value);
      const above = series.kind === "bars" || highest;
      group.append(shape("text", { class: "value", x: p.x, y: above ? high - 8 : low + 18, "text-anchor": "middle" }, series.texts[p.i]));
    }
  }
  return group;
}

const BODY = { rows: parts, columns: parts, text, formula, grid, tiles, links, table, marks };

import { grid, make } from "./regard.js";
import { column, isExact, largest, mean, part, pattern, row, statistics, unpacked, wholeMap } from "./weights.js";

// A page of heads: all of them as tiles, one of them large, the text with what one token looks at, and every number as
// a table. Pointing shows, choosing (click, or arrow keys) holds. Tokens enter as text, never as markup.

const DRAWN = 1024; // up to so many tokens a side, an exact head is drawn weight by weight
const FEW_KEYS = 16; // up to so many keys, tokens are shaded by their weights as they are
const NUMBERED = 32; // up to so many, as a table of numbers

/** Draw the heads of `data` (views/look_page.py) into `el`; resolves when everything is drawn. */
export async function look(el, data) {
  const asked = new URLSearchParams(location.hash.slice(1)).get("part");
  await drawPart(el, data, data.others?.find(({ part }) => part === asked) ?? data);
}

// One part of the model; `whole` holds all that are in the page.
async function drawPart(el, whole, shown) {
  const held = await unpacked({ ...whole, ...shown });
  const state = { head: shown.opened, query: shown.query, held: shown.query, layout: shown.layout, ...remembered(held) };
  const at = { look: held, whole, words: whole.words, state, dark: matchMedia("(prefers-color-scheme: dark)") };
  const parts = [introduction(at), overview(at), one(at), passage(at), token(at), strip(at), numbers(at), notes(at)];
  at.show = (change) => {
    Object.assign(state, change);
    for (const part of parts) part.update?.(change);
  };
  at.turnTo = async (part) => {
    address(`part=${part.part}`);
    await drawPart(el, whole, part);
    el.querySelector(".parts-of-model [aria-pressed='true']").focus();
  };
  at.choose = (change) => {
    at.show("query" in change ? { ...change, held: change.query } : change);
    remember(at);
  };
  el.classList.add("regard", "look");
  el.replaceChildren(...parts.map((part) => part.node));
  at.show(state);
  at.dark.addEventListener("change", () => at.show(state));
  performance.mark("regard-drawn");
}

/** The form that notebooks know (anywidget). */
export default { render: ({ model, el }) => void look(el, model.get("data")) };

// ---------------------------------------------------------------- what is said

const filled = (sentence, facts) => sentence.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
const written = (at, value, name = "largest") => value.toFixed(at.look.digits[name]);
const headName = (at, head) => filled(at.words.layer_head, { layer: at.look.places[head][0], head: at.look.places[head][1] });
const tokenName = (at, side, number) => filled(at.words.token_at, { token: at.look[side][number], at: number });

function headSaid(at, head) {
  const facts = Object.fromEntries(statistics(at.look).map((name) => [name, mean(at.look, name, head).toFixed(2)]));
  if (!("distance" in at.look.arrays)) return filled(at.words.head_mean_across, facts);
  return filled(at.words.head_mean, { ...facts, distance: mean(at.look, "distance", head).toFixed(1) });
}

function tokenSaid(at, [first, second]) {
  const query = tokenName(at, "queries", at.state.query);
  if (!first) return filled(at.words.token_nothing, { query });
  const facts = { query, key: tokenName(at, "keys", first[0]), weight: written(at, first[1]) };
  if (!second) return filled(at.words.token_only, facts);
  return filled(at.words.token_most, { ...facts, second: tokenName(at, "keys", second[0]), second_weight: written(at, second[1]) });
}

// ---------------------------------------------------------------- the address of what is shown

function remembered({ places, queries }) {
  const asked = new URLSearchParams(location.hash.slice(1));
  const head = places.findIndex(([layer, number]) => `${layer}.${number}` === asked.get("head"));
  const query = Number(asked.get("query") ?? NaN);
  return { ...(head >= 0 && { head }), ...(query >= 0 && query < queries.length && { query, held: query }) };
}

function remember({ look, state, whole }) {
  const [layer, head] = look.places[state.head];
  address(`${whole.others ? `part=${look.part}&` : ""}head=${layer}.${head}&query=${state.held}`);
}

function address(said) {
  try {
    history.replaceState(null, "", `#${said}`);
  } catch { /* a frame without an address of its own */ }
}

// ---------------------------------------------------------------- shades

const shade = (value, top) => Math.sqrt(Math.max(value, 0) / (top || 1)); // small weights are seen, too

function paint(at, canvas, [high, wide, values], top, turned) {
  const ramp = at.look.ramps[at.dark.matches ? "dark" : "light"].map(inMemory);
  [canvas.width, canvas.height] = turned ? [high, wide] : [wide, high];
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) {
    const to = turned ? (i % wide) * high + Math.floor(i / wide) : i;
    pixels[to] = ramp[Math.round(shade(values[i], top) * (ramp.length - 1))];
  }
  pen.putImageData(image, 0, 0);
}

// A colour as a canvas has it: red in the lowest byte, all of it opaque.
const inMemory = (colour) => {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
};

const most = (values) => values.reduce((top, value) => Math.max(top, value), 0);

// ---------------------------------------------------------------- moving by keys

// Of many nodes one is in the tab order; keys move it, `go` says where to.
function rove(root, nodes, go, choose) {
  const place = new Map(nodes.map((node, at) => [node, at]));
  root.addEventListener("click", (event) => {
    const node = [...place.keys()].find((each) => each.contains(event.target));
    if (node) choose(place.get(node), node);
  });
  root.addEventListener("keydown", (event) => {
    const from = place.get(document.activeElement);
    const next = from === undefined ? undefined : event.key === "Enter" || event.key === " " ? from : go(from, event);
    if (next === undefined || !nodes[next]) return;
    event.preventDefault();
    nodes[next].focus();
    choose(next, nodes[next]);
  });
}

function mark(nodes, old, now) {
  nodes[old]?.setAttribute("aria-selected", "false");
  nodes[old]?.setAttribute("tabindex", -1);
  nodes[now]?.setAttribute("aria-selected", "true");
  nodes[now]?.setAttribute("tabindex", 0);
}

// ---------------------------------------------------------------- the parts

function introduction(at) {
  const { look, words } = at;
  const chips = look.standing.map(([head, role, share]) => {
    const chip = make("button", { type: "button", class: "chip" }, make("b", {}, headName(at, head)), ` ${role} ${share.toFixed(2)}`);
    chip.addEventListener("click", () => at.choose({ head }));
    return chip;
  });
  const facts = { model: look.model, part: look.part, heads: look.places.length, queries: look.queries.length, keys: look.keys.length };
  const about = filled(look.itself ? words.page_about : words.page_about_across, facts);
  const node = make("header", {}, make("h1", {}, look.title), make("p", { class: "about" }, about), partChips(at), look.note && make("p", { class: "note" }, look.note),
    make("h2", {}, words.page_standing), make("div", { class: "chips" }, ...chips));
  const update = ({ head }) => head === undefined || chips.forEach((chip, i) => chip.setAttribute("aria-pressed", look.standing[i][0] === head));
  return { node, update };
}

// The other attentions of the model: buttons; a part that did not fit tells its command.
function partChips(at) {
  const { look, words, whole } = at;
  if (!whole.others) return null;
  const held = [whole, ...whole.others].map((part) => {
    const chip = make("button", { type: "button", class: "chip", "aria-pressed": String(part.part === look.part) }, make("b", {}, part.part));
    chip.addEventListener("click", () => void at.turnTo(part));
    return chip;
  });
  const absent = whole.absent.map(({ part, command }) => make("p", { class: "hint" }, `${part}: ${filled(words.page_absent, { command })}`));
  return make("div", { class: "parts-of-model", role: "group", "aria-label": words.page_parts }, make("div", { class: "chips" }, ...held), ...absent);
}

function overview(at) {
  const { look, words } = at;
  const [layers, heads] = [0, 1].map((part) => [...new Set(look.places.map((place) => place[part]))].sort((a, b) => a - b));
  const top = most(look.arrays.map.values) * look.arrays.map.scale;
  const canvases = look.places.map(() => make("canvas", { "aria-hidden": "true" }));
  const cells = look.places.map((_, head) => make("td", { role: "gridcell", tabindex: -1, "aria-selected": "false", title: headName(at, head), "aria-label": headLabel(at, head) }, canvases[head]));
  const index = new Map(look.places.map(([layer, head], i) => [`${layer}.${head}`, i]));
  const table = make("table", { class: "heads", role: "grid", "aria-label": look.title });
  table.createTHead().insertRow().append(make("td", { class: "axis" }, `${words.layer} ↓ ${words.head} →`), ...heads.map((head) => make("th", { scope: "col" }, head)));
  const body = table.createTBody();
  for (const layer of layers) body.insertRow().append(make("th", { scope: "row" }, layer), ...heads.map((head) => cells[index.get(`${layer}.${head}`)] ?? make("td")));
  const step = (from, event) => {
    const [layer, head] = [layers.indexOf(look.places[from][0]), heads.indexOf(look.places[from][1])];
    const to = { ArrowUp: [layer - 1, head], ArrowDown: [layer + 1, head], ArrowLeft: [layer, head - 1], ArrowRight: [layer, head + 1], Home: [layer, 0], End: [layer, heads.length - 1] }[event.key];
    return to && index.get(`${layers[to[0]]}.${heads[to[1]]}`);
  };
  rove(table, cells, step, (head) => at.choose({ head }));
  let shown;
  const update = (change) => {
    if (change.layout || change === at.state) canvases.forEach((canvas, head) => paint(at, canvas, [...look.arrays.map.shape.slice(1), part(look.arrays.map, head)], top, at.state.layout === "key-rows"));
    if (change.head === undefined) return;
    mark(cells, shown, change.head);
    shown = change.head;
  };
  const blocks = wholeMap(look) ? null : make("p", { class: "hint" }, filled(words.map_pooled, { high: look.block[0], wide: look.block[1] }));
  return { node: make("section", { class: "all" }, make("div", { class: "scroll" }, table), make("p", { class: "hint" }, words.page_choose), blocks), update };
}

function headLabel(at, head) {
  const roles = at.look.standing.filter(([each]) => each === head).map(([, role, share]) => `${role} ${share.toFixed(2)}`);
  return [headName(at, head), ...roles].join(", ");
}

function one(at) {
  const { look, words } = at;
  const [title, said, kept] = [make("h2", { class: "title" }), make("p", { class: "reading" }), make("p", { class: "hint" })];
  const [body, readout] = [make("div", { class: "pattern" }), make("output", { class: "readout" })];
  const turn = make("button", { type: "button", class: "turn" });
  turn.addEventListener("click", () => at.choose({ layout: at.state.layout === "query-rows" ? "key-rows" : "query-rows" }));
  const update = (change) => {
    if (change.head === undefined && !change.layout) return;
    const { head, layout } = at.state;
    title.textContent = headName(at, head);
    said.textContent = headSaid(at, head);
    turn.textContent = layout === "query-rows" ? words.page_queries_down : words.page_keys_down;
    kept.replaceChildren(...keptSaid(at, head));
    readout.textContent = "";
    body.replaceChildren(...drawnHead(at, readout));
  };
  return { node: make("section", { class: "one" }, title, said, turn, body, readout, kept), update };
}

// What of a head is in the page, and the command that shows the rest.
function keptSaid({ look, words }, head) {
  if (wholeMap(look)) return [words.page_all_exact];
  if (isExact(look, head)) return [words.page_exact];
  const [layer, number] = look.places[head];
  return [words.page_partly, " ", make("code", {}, `${look.command} --layer ${layer} --head ${number} -o head.html`)];
}

function drawnHead(at, readout) {
  const { look, state, words } = at;
  const turned = state.layout === "key-rows";
  const axes = make("p", { class: "axis" }, turned ? `${words.key} ↓ ${words.query} →` : `${words.query} ↓ ${words.key} →`);
  if (wholeMap(look) && Math.max(look.queries.length, look.keys.length) <= NUMBERED) return grid(asGrid(at, turned), { ...words });
  const shown = pattern(look, state.head, DRAWN);
  const canvas = make("canvas", { class: "large", "aria-hidden": "true" });
  paint(at, canvas, shown, most(shown[2]), turned);
  canvas.addEventListener("pointermove", (event) => point(at, shown, canvas, event, turned, readout));
  canvas.addEventListener("pointerleave", () => at.show({ query: state.held }));
  canvas.addEventListener("click", () => at.choose({ query: state.query }));
  return [axes, canvas];
}

// Pointing at a cell tells its number, and shows its query below.
function point(at, [high, wide, values], canvas, event, turned, readout) {
  const box = canvas.getBoundingClientRect();
  const along = (place, size, count) => Math.min(count - 1, Math.max(0, Math.floor((place / size) * count)));
  const across = along(event.clientX - box.left, box.width, turned ? high : wide);
  const down = along(event.clientY - box.top, box.height, turned ? wide : high);
  const [query, key] = turned ? [across, down] : [down, across];
  const names = [["queries", query, high], ["keys", key, wide]].map(([side, place, count]) => span(at, side, place, count));
  readout.replaceChildren(`${names.join(" → ")} `, make("b", {}, written(at, values[query * wide + key])));
  const first = Math.floor(query * (high === at.look.queries.length ? 1 : at.look.block[0]));
  if (first !== at.state.query) at.show({ query: first });
}

// The token of a cell, or the first and the last of its block.
function span(at, side, place, count) {
  const tokens = at.look[side].length;
  if (count === tokens) return tokenName(at, side, place);
  const size = at.look.block[side === "queries" ? 0 : 1];
  return `${tokenName(at, side, place * size)} … ${tokenName(at, side, Math.min(tokens, (place + 1) * size) - 1)}`;
}

// The weights of a short text, as the grid of every other page.
function asGrid(at, turned) {
  const { look, state, words } = at;
  const weights = look.queries.map((_, query) => [...row(look, state.head, query)]);
  const exact = turned ? look.keys.map((_, key) => weights.map((each) => each[key])) : weights;
  const top = Math.max(look.queries.length, look.keys.length) <= 16 ? 1 : most(weights.flat());
  const names = { rows: look.queries, columns: look.keys, row_axis: words.query, column_axis: words.key };
  const other = { rows: look.keys, columns: look.queries, row_axis: words.key, column_axis: words.query };
  const texts = exact.map((line) => line.map((weight) => weight.toFixed(2)));
  return { ...(turned ? other : names), heat: true, exact, texts, shades: exact.map((line) => line.map((weight) => weight / (top || 1))) };
}

function passage(at) {
  const { look, words } = at;
  const sides = look.itself ? ["queries"] : ["queries", "keys"];
  const [queries, keys = queries] = sides.map((side) => look[side].map((token, i) => make("span", tokenLooks(look, side, i), token)));
  const listed = { role: "listbox", "aria-orientation": "horizontal", class: "tokens" };
  const boxes = [make("div", { ...listed, "aria-label": words.page_tokens }, ...queries)];
  if (!look.itself) boxes.push(make("h3", {}, words.key), make("div", { class: "tokens" }, ...keys));
  rove(boxes[0], queries, (from, event) => step(queries, from, event), (query) => at.choose({ query }));
  queries.forEach((node, query) => {
    node.addEventListener("pointerenter", () => at.show({ query }));
    node.addEventListener("pointerleave", () => at.show({ query: at.state.held }));
  });
  let shown;
  const update = (change) => {
    if (change.head === undefined && change.query === undefined) return;
    const { head, query } = at.state;
    mark(queries, shown, query);
    shown = query;
    if (query === at.state.held) within(boxes[0], queries[query]);
    const weights = row(look, head, query) ?? sparse(look, head, query);
    const top = keys.length <= FEW_KEYS ? 1 : most(weights);
    keys.forEach((node, key) => node.style.setProperty("--v", shade(weights[key], top).toFixed(3)));
  };
  return { node: make("section", { class: "text" }, make("h2", {}, words.page_where), make("p", { class: "hint" }, words.page_tokens), ...boxes), update };
}

// Scrolls the box alone, never the page.
function within(box, node) {
  const [top, end] = [node.offsetTop, node.offsetTop + node.offsetHeight];
  if (top < box.scrollTop || end > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
}

function tokenLooks(look, side, at) {
  const kind = side === "queries" ? look.kinds[at] : undefined;
  const looks = { class: `token ${kind ?? ""}`.trim(), title: at };
  return side === "queries" ? { ...looks, role: "option", tabindex: -1, "aria-selected": "false" } : looks;
}

const sparse = (look, head, query) => {
  const weights = new Float64Array(look.keys.length);
  for (const [key, weight] of largest(look, head, query)) weights[key] = weight;
  return weights;
};

// To the next token, or to the one above or below.
function step(nodes, from, event) {
  const near = (line) => {
    const middle = nodes[from].offsetLeft + nodes[from].offsetWidth / 2;
    const off = (i) => Math.abs(nodes[i].offsetLeft + nodes[i].offsetWidth / 2 - middle);
    const lines = [...nodes.keys()].filter((i) => (line < 0 ? nodes[i].offsetTop < nodes[from].offsetTop : nodes[i].offsetTop > nodes[from].offsetTop));
    const top = lines.length && (line < 0 ? Math.max : Math.min)(...lines.map((i) => nodes[i].offsetTop));
    return lines.filter((i) => nodes[i].offsetTop === top).sort((a, b) => off(a) - off(b))[0];
  };
  const moves = { ArrowRight: () => from + 1, ArrowLeft: () => from - 1, ArrowUp: () => near(-1), ArrowDown: () => near(1), Home: () => 0, End: () => nodes.length - 1 };
  return moves[event.key]?.();
}

function token(at) {
  const { look, words } = at;
  const [said, facts] = [make("output", { class: "reading" }), make("dl", { class: "facts" })];
  const body = make("tbody");
  const table = make("table", { class: "largest" }, make("caption", {}, words.page_largest), body);
  const update = (change) => {
    if (change.head === undefined && change.query === undefined) return;
    const { head, query } = at.state;
    const pairs = largest(look, head, query);
    said.textContent = tokenSaid(at, pairs);
    body.replaceChildren(...pairs.map(([key, weight]) => keyLine(at, key, weight)));
    facts.replaceChildren(...statistics(look).map((name) => make("div", {}, make("dt", {}, words[`stat_${name}`]), make("dd", {}, written(at, column(look, name, head)[query], name)))));
  };
  return { node: make("section", { class: "token-numbers" }, said, make("div", { class: "beside" }, table, facts)), update };
}

function keyLine(at, key, weight) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--v", Math.min(weight, 1));
  return make("tr", {}, make("td", { class: "number" }, key), make("th", { scope: "row" }, at.look.keys[key]), make("td", { class: "number" }, written(at, weight)), make("td", {}, bar));
}

// One statistic of every query as bars: pointing shows a query, a click holds it.
function strip(at) {
  const { look, words } = at;
  const choice = make("select", { "aria-label": words.page_statistic }, ...statistics(look).map((name) => make("option", { value: name }, words[`stat_${name}`])));
  const [canvas, range] = [make("canvas", { class: "strip", height: 64, "aria-hidden": "true" }), make("span", { class: "range" })];
  const query = (event) => Math.min(look.queries.length - 1, Math.max(0, Math.floor((event.offsetX / canvas.clientWidth) * look.queries.length)));
  const draw = () => {
    const values = column(look, choice.value, at.state.head);
    range.textContent = `0 … ${written(at, most(values), choice.value)}`;
    bars(at, canvas, values);
  };
  choice.addEventListener("change", draw);
  canvas.addEventListener("pointermove", (event) => at.show({ query: query(event) }));
  canvas.addEventListener("pointerleave", () => at.show({ query: at.state.held }));
  canvas.addEventListener("click", (event) => at.choose({ query: query(event) }));
  const update = (change) => (change.head === undefined && change.query === undefined) || draw();
  return { node: make("section", { class: "per-query" }, make("h2", {}, words.page_per_query), make("p", {}, choice, " ", range), canvas), update };
}

function bars(at, canvas, values) {
  const [count, top] = [values.length, most(values) || 1];
  canvas.width = Math.max(count, Math.ceil(1024 / count) * count);
  const [wide, pen] = [canvas.width / count, canvas.getContext("2d")];
  const look = getComputedStyle(canvas);
  values.forEach((value, query) => {
    pen.fillStyle = look.getPropertyValue(query === at.state.query ? "--focus" : "--series-0");
    const high = Math.max(1, (value / top) * canvas.height);
    pen.fillRect(query * wide, canvas.height - high, Math.max(1, wide - (wide > 3 ? 1 : 0)), high);
  });
}

// Everything that is drawn, as a table: built when it is opened.
function numbers(at) {
  const { look, words } = at;
  const body = make("div", { class: "scroll", tabindex: 0 });
  const node = make("details", { class: "numbers" }, make("summary", {}, words.page_numbers), body);
  const fill = () => node.open && body.replaceChildren(numberTable(at));
  node.addEventListener("toggle", fill);
  return { node, update: ({ head }) => head === undefined || fill() };
}

function numberTable(at) {
  const { look, words, state } = at;
  const named = statistics(look);
  const columns = named.map((name) => column(look, name, state.head));
  const table = make("table", { class: "table" }, make("caption", {}, headName(at, state.head)));
  const head = [words.number_column, words.query, words.looks_column, ...named.map((name) => words[`stat_${name}`])];
  table.createTHead().insertRow().append(...head.map((name) => make("th", { scope: "col" }, name)));
  const body = table.createTBody();
  look.queries.forEach((name, query) => {
    const looked = largest(look, state.head, query).map(([key, weight]) => `${look.keys[key]} (${key}) ${written(at, weight)}`).join(" · ");
    const values = named.map((name, i) => make("td", { class: "number" }, written(at, columns[i][query], name)));
    body.insertRow().append(make("td", { class: "number" }, query), make("th", { scope: "row" }, name), make("td", {}, looked), ...values);
  });
  return table;
}

function notes({ look, words }) {
  const rounded = wholeMap(look) ? null : make("p", { class: "hint" }, words.page_rounded);
  return { node: make("footer", {}, rounded, make("p", { class: "check" }, look.check)) };
}

// The numbers of a page of heads: arrays as views/packing.py packs them, and rows of weights made of queries and keys
// as core/recipe.py says. Nothing here draws; tests hold every row against the recorder's own.

const KINDS = { f4: Float32Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array };

/** `data` with its arrays read: each has `values`, `shape` and `scale`. */
export async function unpacked(data) {
  const signs = atob(data.blob);
  const packed = new Uint8Array(signs.length);
  for (let i = 0; i < signs.length; i++) packed[i] = signs.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const whole = new Uint8Array(await new Response(stream).arrayBuffer());
  const arrays = Object.fromEntries(Object.entries(data.arrays).map(([name, entry]) => [name, placed(whole, entry)]));
  return { ...data, arrays, keys: data.keys ?? data.queries, blob: null };
}

// The bytes of an array lie plane by plane.
function placed(whole, { type, shape, scale, at }) {
  const Kind = KINDS[type];
  const width = Kind.BYTES_PER_ELEMENT;
  const count = shape.reduce((product, side) => product * side, 1);
  const bytes = new Uint8Array(count * width);
  for (let plane = 0; plane < width; plane++) {
    for (let i = 0, from = at + plane * count; i < count; i++) bytes[i * width + plane] = whole[from + i];
  }
  return { shape, scale, values: new Kind(bytes.buffer) };
}

/** Part `at` of an array along its first axis, as numbers. */
export function part({ values, shape, scale }, at) {
  const size = shape.slice(1).reduce((product, side) => product * side, 1);
  const found = new Float64Array(size);
  for (let i = 0; i < size; i++) found[i] = values[at * size + i] * scale;
  return found;
}

/** Whether every weight of a head is in the page. */
export function isExact(look, head) {
  return wholeMap(look) || `query/${head}` in look.arrays || `weights/${head}` in look.arrays;
}

/** Whether a cell of the maps is one weight. */
export function wholeMap(look) {
  return look.block[0] === 1 && look.block[1] === 1;
}

/** The weights of one query of a head over all keys; null where they are not in the page. */
export function row(look, head, query) {
  if (wholeMap(look)) return part({ ...look.arrays.map, shape: [0, look.keys.length] }, head * look.queries.length + query);
  if (`weights/${head}` in look.arrays) return part(look.arrays[`weights/${head}`], query);
  return `query/${head}` in look.arrays ? computed(look, head, query) : null;
}

function computed(look, head, query) {
  const recipe = look.recipes[head];
  const scores = scored(look, head, query, recipe.scale);
  if (recipe.softcap !== null) for (const key in scores) scores[key] = recipe.softcap * Math.tanh(scores[key] / recipe.softcap);
  const bias = biased(look, head, query);
  const seen = visible(look, head, query, recipe.spans);
  const masked = scores.map((score, key) => (seen(key) ? score + bias(key) : -Infinity));
  return softmax(masked, recipe.sink);
}

function scored(look, head, query, scale) {
  const [q, keys, vector] = ["query", "key", "vector"].map((name) => look.arrays[`${name}/${head}`]);
  const wide = q.shape[1];
  const asked = q.values.subarray(query * wide, (query + 1) * wide);
  const scores = new Float64Array(keys.shape[0]);
  for (let key = 0; key < scores.length; key++) {
    let sum = 0;
    for (let at = 0, from = key * wide; at < wide; at++) {
      sum += vector ? vector.values[at] * Math.tanh(asked[at] + keys.values[from + at]) : asked[at] * keys.values[from + at];
    }
    scores[key] = sum * scale;
  }
  return scores;
}

// What is added to scaled scores: by key − query alone, or for each pair.
function biased(look, head, query) {
  const bias = look.arrays[`bias/${head}`];
  if (!bias) return () => 0;
  const from = bias.shape.length === 1 ? look.queries.length - 1 - query : query * bias.shape[1];
  return (key) => bias.values[from + key];
}

function visible(look, head, query, spans) {
  const seen = look.arrays[`visible/${head}`];
  if (!seen) return () => true;
  if (!spans) return (key) => seen.values[query * seen.shape[1] + key] === 1;
  const [first, end] = seen.values.subarray(2 * query, 2 * query + 2);
  return (key) => key >= first && key < end;
}

function softmax(masked, sink) {
  const top = masked.reduce((most, score) => Math.max(most, score), sink ?? -Infinity);
  if (top === -Infinity) return masked.fill(0);
  const powers = masked.map((score) => Math.exp(score - top));
  const sum = powers.reduce((total, power) => total + power, sink === null ? 0 : Math.exp(sink - top));
  return powers.map((power) => power / sum);
}

/** The largest weights of one query, as [key, weight] pairs, falling: of all weights, or the largest that are in the page. */
export function largest(look, head, query, count = 8) {
  const weights = row(look, head, query);
  const order = (pairs) => pairs.filter(([key, weight]) => key >= 0 && weight > 0).sort((one, other) => other[1] - one[1]);
  if (weights) return order([...weights.entries()]).slice(0, count);
  const [keys, values] = [look.arrays.top_keys, look.arrays.top_weights];
  const at = (head * look.queries.length + query) * keys.shape[2];
  const pairs = Array.from({ length: keys.shape[2] }, (_, i) => [keys.values[at + i], values.values[at + i] * values.scale]);
  return order(pairs).slice(0, count);
}

/** One statistic of every query of a head. */
export function column(look, name, head) {
  if (name !== "largest") return part(look.arrays[name], head);
  const wide = look.arrays.top_weights.shape[2];
  return part(look.arrays.top_weights, head).filter((_, at) => at % wide === 0);
}

/** The names of the statistics that the page has. */
export function statistics(look) {
  return ["entropy", "largest", "first", "itself", "before", "distance"].filter((name) => name === "largest" || name in look.arrays);
}

/** The mean of a statistic over the queries of a head from the second on: the first often sees itself alone. */
export function mean(look, name, head) {
  const whole = column(look, name, head);
  const counted = whole.length > 1 ? whole.subarray(1) : whole;
  return counted.reduce((sum, each) => sum + each, 0) / Math.max(1, counted.length);
}

/** What is drawn of a head: [rows, columns, numbers], every weight where all are in the page and at most `most` a side. */
export function pattern(look, head, most) {
  const [queries, keys] = [look.queries.length, look.keys.length];
  if (!wholeMap(look) && isExact(look, head) && Math.max(queries, keys) <= most) {
    const whole = new Float64Array(queries * keys);
    for (let query = 0; query < queries; query++) whole.set(row(look, head, query), query * keys);
    return [queries, keys, whole];
  }
  return [...look.arrays.map.shape.slice(1), part(look.arrays.map, head)];
}

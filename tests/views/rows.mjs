// Runs the page's arithmetic without a browser.
// stdin: {module, data, asked: [[head, query]…]}; stdout: of each what the page would show.

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { module, data, asked } = JSON.parse(input);
const { column, isExact, largest, mean, pattern, row, statistics, unpacked } = await import(module);
const look = await unpacked(data);
const names = statistics(look);
const told = asked.map(([head, query]) => ({
  exact: isExact(look, head),
  row: isExact(look, head) ? [...row(look, head, query)] : null,
  largest: largest(look, head, query),
  statistics: Object.fromEntries(names.map((name) => [name, column(look, name, head)[query]])),
  means: Object.fromEntries(names.map((name) => [name, mean(look, name, head)])),
  pattern: [...pattern(look, head, 100).slice(0, 2), [...pattern(look, head, 100)[2]]],
}));
process.stdout.write(JSON.stringify(told));

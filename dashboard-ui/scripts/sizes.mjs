/** What the pages weigh, against what they may. `node scripts/sizes.mjs` after a build. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const dist = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const assets = join(dist, "assets");
const files = new Map(readdirSync(assets).map((name) => [name, readFileSync(join(assets, name))]));
const packed = (name) => gzipSync(files.get(name), { level: 9 }).length;
const named = (start) =>
  [...files.keys()].filter((name) => name.replace(/-[\w-]{8}\.\w+$/, "") === start);

/** A chunk with everything that it imports at once. */
function withImports(names) {
  const all = new Set();
  const add = (name) => {
    if (all.has(name) || !files.has(name)) return;
    all.add(name);
    const text = files.get(name).toString();
    for (const [, from] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)) add(from);
  };
  for (const name of names) add(name);
  return [...all];
}

const js = (name) => name.endsWith(".js");
const sum = (names) => names.reduce((total, name) => total + packed(name), 0);
const first = withImports([...named("index").filter(js), ...named("runs").filter(js)]);
const css = [...files.keys()].filter((name) => name.endsWith(".css"));
const raw = [...files.values()].reduce((total, bytes) => total + bytes.length, 0);

/** Kilobytes, compressed unless it says otherwise. */
const budgets = [
  ["first view of the list, scripts", sum(first), 170],
  ["first style sheet", sum(named("index").filter((name) => !js(name))), 10],
  ["all style sheets", sum(css), 14],
  ["graph library", sum(named("flow").filter(js)), 65],
  ["flow of a workflow", sum(named("flow-graph").filter(js)), 24],
  ["chart", sum(named("chart").filter(js)), 25],
  ["start form", sum(named("start").filter(js)), 25],
  ["run page", sum(named("run").filter(js)), 20],
  ["everything, not compressed", raw, 1_000],
];

let over = 0;
for (const [what, bytes, most] of budgets) {
  const kilobytes = bytes / 1_000;
  const isOver = kilobytes > most;
  if (isOver) over += 1;
  const line = `${kilobytes.toFixed(1).padStart(7)} kB of ${String(most).padStart(5)}  ${what}`;
  console.log(`${isOver ? "OVER" : "    "} ${line}`);
}
process.exitCode = over === 0 ? 0 : 1;

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ui = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The text of the licence that a package brings along. */
function licenceText(folder) {
  const name = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  return name === undefined ? "" : readFileSync(join(folder, name), "utf8").trim();
}

/** The licences of everything that is built into the app, from the lock file. */
export function thirdParty() {
  const lock = JSON.parse(readFileSync(join(ui, "package-lock.json"), "utf8"));
  const shipped = Object.entries(lock.packages)
    .filter(([path, entry]) => path.startsWith("node_modules/") && !entry.dev && !entry.optional)
    // Types and the build's own tools leave nothing in the output.
    .filter(([path]) => !path.includes("@types/"))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = shipped.map(([path, entry]) => {
    const folder = join(ui, path);
    const text = existsSync(folder) ? licenceText(folder) : "";
    const name = path.replace(/^.*node_modules\//, "");
    return `${name} ${entry.version} (${entry.license})\n\n${text}\n`;
  });
  return `The dashboard contains these packages.\n\n${parts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

/**
 * Takes the pictures for the documents, from the real example with made-up orders.
 *
 * `node e2e/screenshots.mjs [folder]`; the default is `docs/dashboard`.
 */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage, Shop, until } from "./lib.mjs";

const folder =
  process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "../../docs/dashboard");
mkdirSync(folder, { recursive: true });

const ARTICLES = ["mug", "lamp", "desk", "chair", "poster", "kettle"];
const NAMES = ["ada", "grace", "edsger", "barbara", "tony", "margaret"];

const shop = await Shop.open({ CHECKOUT_STEP_MS: "180", CHECKOUT_SETTLE_MS: "900" });
const browser = await openBrowser();
try {
  await fill();
  const pictures = [
    ["overview", ""],
    ["runs", "runs"],
    ["runs-peek", "runs?peek=order-1003"],
    ["run-timeline", "runs/order-1003?step=5"],
    ["run-graph", "runs/order-1003?view=graph&step=7"],
    ["run-waiting", "runs/order-1024"],
    ["run-failed", "runs/order-1077?step=0"],
    ["start", "runs/new?workflow=checkout"],
    ["workflow", "workflows/checkout"],
    ["workers", "workers"],
    ["errors", "errors"],
    ["system", "system"],
  ];
  for (const theme of ["light", "dark"]) {
    const page = await openPage(browser, { theme });
    for (const [name, path] of pictures) await take(page, `${theme}-${name}`, path);
    await page.context().close();
    const phone = await openPage(browser, { theme, width: 390, height: 780 });
    await take(phone, `${theme}-phone-runs`, "runs");
    await take(phone, `${theme}-phone-run`, "runs/order-1003");
    await take(phone, `${theme}-phone-overview`, "");
    await phone.context().close();
  }
  const page = await openPage(browser);
  await page.goto(`${shop.origin}/durable/runs/order-1024`);
  await page.getByRole("button", { name: "Send signal" }).click();
  await page.getByRole("group", { name: "Value" }).getByLabel("approved").check();
  await page.getByRole("group", { name: "Value" }).getByLabel("by").fill("Ada");
  await page.screenshot({ path: join(folder, "light-signal.png") });
  for (const theme of ["light", "dark"]) {
    const waiting = await openPage(browser, { theme });
    await waiting.goto(`${shop.origin}/durable/runs/order-1024`);
    await waiting.getByRole("button", { name: "Cancel", exact: true }).click();
    await waiting.getByLabel("Undo what was done first").check();
    await waiting.getByText("by release-stock").waitFor();
    await waiting.screenshot({ path: join(folder, `${theme}-cancel.png`) });
    await waiting.context().close();
  }
  await page.goto(`${shop.origin}/durable/runs`);
  await page.getByRole("heading", { name: "Runs" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search or jump" }).fill("order-10");
  await page
    .getByRole("option", { name: /order-10/ })
    .first()
    .waitFor();
  await page.screenshot({ path: join(folder, "light-palette.png") });
} finally {
  await browser.close();
  await shop.close();
}

/** Orders in every state, some seconds apart so that the chart has something to show. */
async function fill() {
  for (let n = 1; n <= 24; n += 1) {
    const id = 1000 + n;
    await shop.order(id, {
      sku: ARTICLES[n % ARTICLES.length],
      quantity: 1 + (n % 4),
      total_cents: 1_999 * (1 + (n % 5)),
      email: `${NAMES[n % NAMES.length]}@example.com`,
    });
    if (n % 5 !== 4) await shop.approve(id, n % 7 !== 0);
    await new Promise((resolve) => setTimeout(resolve, 350));
  }
  for (const id of [1075, 1076, 1077]) await shop.order(id, { sku: "lamp", quantity: 2_000_000 });
  await shop.post("/runs/order-1009/cancel", { reason: "the customer called" });
  await shop.run("order-1077", (run) => run.status === "failed");
  await shop.run("order-1023", (run) => run.is_terminal);
  await until("the survey", async () => (await shop.get("/survey")).runs >= 27);
}

async function take(page, name, path) {
  await page.goto(`${shop.origin}/durable/${path}`);
  await page.locator("h1").first().waitFor({ state: "attached" });
  await page.locator('[data-badge="live"]').waitFor();
  await until("the page is drawn", () =>
    page.evaluate(() => document.querySelector('[aria-label="Loading"]') === null),
  );
  if (path === "") await page.locator(".uplot").waitFor();
  // Focus would draw a ring around whatever a page begins with.
  await page.evaluate(() => document.activeElement?.blur());
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

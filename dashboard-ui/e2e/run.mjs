/**
 * The dashboard in a real browser, against the real example.
 *
 * `node e2e/run.mjs [words]` runs the tests whose names contain the words. With
 * `E2E_STORE=postgres` the example keeps its runs there, else in SQLite; `--core` leaves out what
 * is the same wherever they are.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser, openPage, Shop, STORE, until } from "./lib.mjs";

const output = join(dirname(fileURLToPath(import.meta.url)), "output");
const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const tests = [];
const test = (name, run, env = {}) => tests.push({ name, run, env });
/** A test of what may differ between stores. */
const coreTest = (name, run, env = {}) => tests.push({ name, run, env, isCore: true });

function equal(actual, expected, what = "value") {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what} is ${is}, not ${should}`);
}

function ok(value, what) {
  if (!value) throw new Error(what);
}

const state = (page) => page.locator("header h1 + span").first();

/** Waits until the page's heading says that the run stands so. */
const stands = (page, word) => state(page).getByText(word, { exact: true }).waitFor();

const row = (page, id) => page.locator(`[data-run="${id}"]`);

const isLive = (page) => page.locator('[data-badge="live"]').waitFor();

// --------------------------------------------------------------------------------------------

coreTest("an order is placed, watched and approved", async ({ shop, page }) => {
  await page.goto(`${shop.origin}/durable/runs`);
  await page.getByText("No run was ever started here").waitFor();
  await page.getByRole("link", { name: "Start checkout" }).click();
  await page.getByLabel("id", { exact: true }).fill("ui-1");
  await page.getByLabel("sku").fill("mug");
  await page.getByLabel("quantity").fill("2");
  await page.getByLabel("total_cents").fill("1999");
  await page.getByLabel("email").fill("ada@example.com");
  await page.getByLabel("Run id").fill("order-ui-1");
  await page.getByLabel("Tags").fill("from-ui");
  await page.getByLabel("Priority").fill("3");
  await page.getByRole("button", { name: "Start checkout" }).click();

  // Nothing is loaded again: what follows arrives over the stream.
  await page.evaluate(() => {
    window.stillHere = true;
  });
  await stands(page, "Waiting for signal");
  await page.getByText("priority 3", { exact: true }).waitFor();
  await page.getByRole("option", { name: /reserve-stock/ }).waitFor();
  await page.getByRole("button", { name: "Send signal" }).click();
  equal(await page.getByLabel("Token").inputValue(), "approve:ui-1", "the token");
  // The type of the value is known, so there are fields for it; what they hold is JSON.
  const value = page.getByRole("group", { name: "Value" });
  await value.getByLabel("by").fill("Ada");
  equal(await axe(page), [], "what breaks rules");
  await page.getByRole("button", { name: "Write JSON" }).click();
  const json = page.getByLabel("Value", { exact: true });
  equal(JSON.parse(await json.inputValue()), { approved: false, by: "Ada" }, "the value");
  await json.fill('{"approved": tru');
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByText("This is no JSON").waitFor();
  await json.fill('{"approved": false, "by": "Ada"}');
  await page.getByRole("button", { name: "Fill in fields" }).click();
  await value.getByLabel("approved").check();
  await page.getByLabel("Reason").fill("looks fine");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  for (const name of ["payments.charge-card", "ship", "send-receipt", "finish-order"]) {
    await page.getByRole("option", { name: new RegExp(name) }).waitFor();
  }
  await stands(page, "Completed");
  ok(await page.evaluate(() => window.stillHere), "the page was loaded again");

  await page.getByRole("option", { name: /charge-card/ }).click();
  await page.getByRole("heading", { name: "payments.charge-card" }).waitFor();
  await page.getByText("charged 1999 cents").waitFor();
  await page.getByText("queued", { exact: true }).waitFor();
  await page.getByText("processing", { exact: true }).waitFor();
  ok(page.url().includes("step=5"), "the operation is not in the address");
  await page.getByRole("tab", { name: "Input/Output" }).click();
  await page.getByText("ada@example.com").waitFor();
  ok(/action="signal" on="approve:ui-1" reason="looks fine"/.test(shop.log), "no audit");
  ok(/action="start" on="order-ui-1"/.test(shop.log), "no audit of the start");
  ok(!shop.log.includes("ada@example.com"), "a payload is in the log");
});

test("a run is cancelled, and the list shows it", async ({ shop, page }) => {
  await shop.order("c-1");
  await shop.run("order-c-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-c-1`);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByText("What was done is not undone").waitFor();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await stands(page, "Cancelled");
  equal(await shop.effects("c-1"), ["reserve"], "what was done");
  await page.getByRole("link", { name: "Runs", exact: true }).first().click();
  await row(page, "order-c-1").getByText("Cancelled").waitFor();
});

coreTest("a run is cancelled and what it did is undone", async ({ shop, page }) => {
  await shop.order("c-2");
  await shop.run("order-c-2", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-c-2`);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByLabel("Undo what was done first").check();
  const list = page.getByRole("list", { name: "Will be undone" });
  await list.getByText("reserve-stock").waitFor();
  await list.getByText("by release-stock").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await page.getByLabel("Reason").fill("the customer called");
  await page.getByRole("button", { name: "Undo and cancel" }).click();
  await stands(page, "Cancelled");
  await page.getByRole("option", { name: /release-stock.*Undone/ }).waitFor();
  equal(await shop.effects("c-2"), ["reserve", "release"], "what was done");
  await page.getByRole("tab", { name: "Audit" }).click();
  await page.getByRole("table", { name: "Audit" }).getByText("the customer called").waitFor();
});

coreTest("a failed run is retried once its cause is mended", async ({ shop, page }) => {
  // The first order takes the whole stock.
  await shop.order("big", { quantity: 1_000_000 });
  await shop.run("order-big", (run) => run.status === "suspended");
  await shop.order("small");
  await shop.run("order-small", (run) => run.status === "failed");
  await page.goto(`${shop.origin}/durable/`);
  await page.getByText("`mug` is out of stock").first().waitFor();
  await page.goto(`${shop.origin}/durable/errors`);
  await page.getByText("out_of_stock").waitFor();
  await page.getByRole("link", { name: "Newest run" }).click();
  await stands(page, "Failed");
  await shop.approve("big", false);
  await shop.run("order-big", (run) => run.status === "completed");
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry", exact: true }).click();
  await stands(page, "Waiting for signal");
  await page.getByRole("button", { name: "Send signal" }).waitFor();
});

coreTest(
  "a run is paused and resumed, and its log says by whom and why",
  async ({ shop, page }) => {
    await shop.order("h-1");
    await shop.run("order-h-1", (run) => run.status === "suspended");
    await page.goto(`${shop.origin}/durable/runs/order-h-1`);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByText("signals and results are still taken").waitFor();
    await page.getByLabel("Reason").fill("stocktaking");
    await page.getByRole("button", { name: "Pause the run" }).click();
    await stands(page, "Paused");
    // What arrives meanwhile is kept, and moves nothing.
    await shop.approve("h-1");
    equal((await shop.get("/runs/order-h-1")).run.status, "paused", "the status");
    await page.keyboard.press("p");
    await page.getByRole("button", { name: "Resume the run" }).click();
    await stands(page, "Completed");
    await page.getByRole("tab", { name: "Audit" }).click();
    const log = page.getByRole("table", { name: "Audit" });
    await log.getByText("stocktaking").waitFor();
    await log.getByText("resume", { exact: true }).waitFor();
  },
);

test("a run is forked from a step, and what that does is shown first", async ({ shop, page }) => {
  await shop.order("f-1");
  await shop.approve("f-1");
  await shop.run("order-f-1", (run) => run.status === "completed");
  await page.goto(`${shop.origin}/durable/runs/order-f-1?step=5`);
  await page.getByRole("button", { name: "Fork from here" }).click();
  const dialog = page.getByRole("dialog", { name: "Fork this run" });
  await dialog.getByText("2 outcomes are kept").waitFor();
  await dialog.getByLabel("First operation that runs again").fill("1");
  await dialog.getByText("1 outcome is kept").waitFor();
  await dialog.getByLabel("Id of the new run").fill("order-f-2");
  await dialog.getByRole("button", { name: "Begin the new run" }).click();
  await page.waitForURL(/order-f-2/);
  await stands(page, "Waiting for signal");
  equal(await page.getByRole("option", { name: /reserve-stock/ }).count(), 1, "what was kept");
});

test("a step is skipped, another input is tried, and a run is deleted", async ({ shop, page }) => {
  await shop.order("a-1", { quantity: 2_000_000 });
  await shop.run("order-a-1", (run) => run.status === "failed");
  await page.goto(`${shop.origin}/durable/runs/order-a-1`);
  await stands(page, "Failed");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("button", { name: "Retry with another input" }).click();
  const input = page.getByLabel("Input", { exact: true });
  await input.fill((await input.inputValue()).replace("2000000", "2"));
  await page.getByRole("button", { name: "Begin again" }).click();
  await stands(page, "Waiting for signal");
  await page.getByRole("option", { name: /approve:a-1/ }).click();
  await page.getByRole("button", { name: "Skip…" }).click();
  await page.getByLabel("Result").fill('{"approved": fals');
  await page.getByRole("button", { name: "Skip it" }).click();
  await page.getByText("This is no JSON").waitFor();
  await page.getByLabel("Result").fill('{"approved": false, "by": "Ada"}');
  await page.getByRole("button", { name: "Skip it" }).click();
  await stands(page, "Completed");
  await page.getByRole("option", { name: /release-stock/ }).waitFor();
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByText("This cannot be undone").waitFor();
  await page.getByRole("button", { name: "Delete the run" }).click();
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await until("the row is gone", async () => (await row(page, "order-a-1").count()) === 0);
  equal((await fetch(`${shop.api}/runs/order-a-1`)).status, 404, "the run");
});

test("a waiting run is made to fail, which takes a reason", async ({ shop, page }) => {
  await shop.order("z-1");
  await shop.run("order-z-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-z-1`);
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("button", { name: "Make it fail…" }).click();
  await page.getByRole("button", { name: "Make it fail", exact: true }).click();
  equal((await shop.get("/runs/order-z-1")).run.status, "suspended", "without a reason");
  await page.getByLabel("Reason").fill("the shop has closed");
  await page.getByRole("button", { name: "Make it fail", exact: true }).click();
  await stands(page, "Failed");
  await page.getByRole("tab", { name: "Input/Output" }).click();
  await page.getByRole("tabpanel").getByText("the shop has closed").waitFor();
  await page.getByRole("tab", { name: "Children" }).click();
  await page.getByText("started no other runs").waitFor();
});

coreTest("a parent and its child lead to each other", async ({ shop, page }) => {
  // Freight: somebody looks at the parcel before it goes.
  await shop.order("p", { quantity: 2_000 });
  await shop.approve("p");
  await shop.run("parcel-p", (run) => run.display === "breakpoint");
  await page.goto(`${shop.origin}/durable/runs/order-p`);
  await page.getByRole("option", { name: /ship.*Waiting for child/ }).waitFor();
  equal(await axe(page), [], "what breaks rules");
  await page.getByRole("link", { name: "Open parcel-p" }).click();
  await page.waitForURL(/parcel-p/);
  await stands(page, "At a breakpoint");
  await page.getByText("It goes on once somebody continues it").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await page.getByRole("link", { name: "order-p" }).click();
  await page.waitForURL(/order-p/);
  await page.getByRole("tab", { name: "Children" }).click();
  await row(page, "parcel-p").getByText("At a breakpoint").waitFor();
  await isLive(page);
  const { status } = await shop.post("/runs/parcel-p/continue", {});
  equal(status, 202, "the answer");
  await row(page, "parcel-p").getByText("Completed").waitFor();
  await stands(page, "Completed");
});

test("a run that stands at a breakpoint is continued", async ({ shop, page }) => {
  await shop.order("c", { quantity: 2_000 });
  await shop.approve("c");
  await shop.run("parcel-c", (run) => run.display === "breakpoint");
  await page.goto(`${shop.origin}/durable/runs/parcel-c`);
  await page.getByRole("option", { name: /look at the freight/ }).click();
  await page.getByRole("button", { name: "Continue…" }).waitFor();
  await page.getByRole("button", { name: "Continue", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Continue from the breakpoint" });
  await dialog.getByLabel("Reason").fill("it is on the pallet");
  await dialog.getByRole("button", { name: "Continue", exact: true }).click();
  await page.getByText("parcel-c goes on").waitFor();
  await stands(page, "Completed");
  ok(/action="continue" on="parcel-c" reason="it is on the pallet"/.test(shop.log), "no audit");
});

test("an update is sent to a run, and a refusal says why", async ({ shop, page }) => {
  await shop.order("u");
  await shop.run("order-u", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-u`);
  await page.getByRole("option", { name: /set-address.*Waiting for update/ }).click();
  await page.getByRole("button", { name: "Send update…" }).click();
  const dialog = page.getByRole("dialog", { name: "Send an update" });
  await dialog.getByLabel("Arguments of set-address").fill(" ");
  await dialog.getByRole("button", { name: "Send", exact: true }).click();
  await dialog.getByText("the address is empty").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await dialog.getByLabel("Arguments of set-address").fill("Elm Street 1");
  await dialog.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByText('set-address was answered: "Elm Street 1"').waitFor();
  await until("the next one is waited for", async () => {
    const updates = page.getByRole("option", { name: /set-address/ });
    return (await updates.count()) === 2;
  });
  await shop.approve("u");
  await stands(page, "Completed");
  const { input } = await shop.get("/runs/parcel-u/payloads");
  equal(input.address, "Elm Street 1", "the address on the parcel");
});

test("a run goes on when its webhook is called", async ({ shop, page }) => {
  // Of so much the payment provider asks the bank.
  await shop.order("w", { total_cents: 250_000 });
  await shop.approve("w");
  await page.goto(`${shop.origin}/durable/runs/order-w`);
  await stands(page, "Waiting for webhook");
  await page.getByRole("option", { name: /bank.*Waiting for webhook/ }).waitFor();
  const { timeline } = await shop.get("/runs/order-w");
  const { url } = timeline.find((it) => it.kind === "token").result;
  const hook = new URL(url).pathname;
  const body = JSON.stringify({ confirmed: false });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${shop.origin}${hook}`, { method: "POST", headers, body });
  equal(answer.status, 202, "the answer");
  await stands(page, "Completed");
  await page.getByRole("option", { name: /release-stock.*Undone/ }).waitFor();
});

test("an event is published to the run that waits for it", async ({ shop, page }) => {
  await shop.post("/runs", { workflow: "restock", id: "restock-mug", input: { sku: "mug" } });
  await shop.run("restock-mug", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/restock-mug`);
  await page.getByRole("option", { name: /stock.delivered.*Waiting for event/ }).waitFor();
  await page.getByRole("button", { name: "Publish event" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Publish an event" });
  equal(await dialog.getByLabel("Name").inputValue(), "stock.delivered", "the name");
  equal(await axe(page), [], "what breaks rules");
  // One that is about something else reaches nobody.
  await dialog.getByLabel("Payload").fill('{"sku": "lamp", "pieces": 5}');
  await dialog.getByRole("button", { name: "Publish", exact: true }).click();
  await page.getByText("stock.delivered has reached 0 runs").waitFor();
  await stands(page, "Waiting for event");
  await page.getByRole("button", { name: "Publish event" }).first().click();
  await dialog.getByLabel("Payload").fill('{"sku": "mug", "pieces": 5}');
  await dialog.getByRole("button", { name: "Publish", exact: true }).click();
  await page.getByText("stock.delivered has reached 1 run").waitFor();
  await stands(page, "Completed");
  await page.getByRole("option", { name: /put-on-shelf/ }).waitFor();
  equal(await shop.effects("mug"), ["restock"], "what was done");
});

test(
  "a run that always takes its process down is given up, and can be tried again",
  async ({ shop, page }) => {
    await shop.order("x-1");
    await page.goto(`${shop.origin}/durable/runs/order-x-1`);
    await stands(page, "Running");
    // Each process dies while it executes the same step.
    let owner;
    for (let died = 0; ; died += 1) {
      const run = await shop.run(
        "order-x-1",
        (it) => it.status === "dead" || (it.owner != null && it.owner !== owner),
      );
      if (run.status === "dead") break;
      ok(died < 15, "it is never given up");
      owner = run.owner;
      await shop.kill();
      await shop.start();
    }
    await stands(page, "Dead");
    equal(await axe(page), [], "what breaks rules");
    await page.goto(`${shop.origin}/durable/`);
    await page.getByRole("link", { name: /1 dead/ }).click();
    await page.waitForURL(/status:dead|status%3Adead/);
    await row(page, "order-x-1").getByText("Dead").waitFor();
    await row(page, "order-x-1").getByRole("link", { name: "order-x-1" }).click();
    await page.getByRole("button", { name: "Retry", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry", exact: true }).click();
    await stands(page, "Waiting for signal");
    equal(await shop.effects("x-1"), ["reserve"], "what was done");
  },
  { CHECKOUT_STEP_MS: "6000" },
);

test(
  "who may only look sees no action, and is refused",
  async ({ shop, page }) => {
    equal(await shop.place("r"), 202, "the order at the shop itself");
    await shop.run("order-r", (run) => run.status === "suspended");
    await page.goto(`${shop.origin}/durable/runs`);
    await row(page, "order-r").getByText("Waiting for signal").waitFor();
    await page.getByText("Read only", { exact: true }).waitFor();
    equal(await page.getByRole("link", { name: "Start run" }).count(), 0, "ways to start");
    equal(await page.getByRole("checkbox").count(), 0, "rows to select");
    for (const step of [0, 2, 3]) {
      await page.goto(`${shop.origin}/durable/runs/order-r?step=${step}`);
      await stands(page, "Waiting for signal");
      await page.getByRole("complementary", { name: `Operation ${step}` }).waitFor();
      for (const name of [
        /^Send/,
        /^Cancel/,
        /^Pause/,
        /^More actions/,
        /^Fork/,
        /^Skip…/,
        /^Continue/,
      ]) {
        equal(await page.getByRole("button", { name }).count(), 0, `buttons ${name}`);
      }
      equal(await page.getByRole("link", { name: "Run again…" }).count(), 0, "ways to repeat");
    }
    for (const key of ["s", "c", "p", "r"]) await page.keyboard.press(key);
    equal(await page.locator("dialog[open]").count(), 0, "dialogs");
    equal(await axe(page), [], "what breaks rules");
    for (const action of ["cancel", "pause", "retry", "continue"]) {
      const { status, body } = await shop.post(`/runs/order-r/${action}`, {});
      equal([status, body.detail], [403, "this router is read-only"], action);
    }
    equal((await shop.post("/runs", { workflow: "checkout", input: {} })).status, 403, "a start");
    equal((await shop.get("/runs/order-r")).run.status, "suspended", "the run");
  },
  { DURABLE_READ_ONLY: "true" },
);

coreTest("the page goes on where it was after the server was killed", async ({ shop, page }) => {
  await shop.order("k-1");
  await shop.run("order-k-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-k-1`);
  await stands(page, "Waiting for signal");
  await isLive(page);
  await page.evaluate(() => {
    window.stillHere = true;
  });
  await shop.kill();
  await page.locator('[data-badge="retrying"]').waitFor();
  await stands(page, "Waiting for signal");
  await shop.start();
  await shop.approve("k-1");
  await stands(page, "Completed");
  for (const name of ["reserve-stock", "payments.charge-card", "finish-order"]) {
    equal(await page.getByRole("option", { name: new RegExp(name) }).count(), 1, name);
  }
  await isLive(page);
  ok(await page.evaluate(() => window.stillHere), "the page was loaded again");
});

coreTest(
  "a step is shown while it executes, and what is not known is said",
  async ({ shop, page, browser }) => {
    await shop.order("run-1");
    await page.goto(`${shop.origin}/durable/runs/order-run-1`);
    const running = page.getByRole("option", { name: /reserve-stock.*Running(?! when)/ });
    await running.waitFor();
    await running.click();
    const inspector = page.getByRole("complementary", { name: /^Operation/ });
    await inspector.getByText("Running", { exact: true }).waitFor();
    await inspector.getByText("stored once this attempt has ended").waitFor();
    equal(await axe(page), [], "what breaks rules");
    await page.getByRole("tab", { name: "Graph" }).click();
    await page.getByLabel("reserve-stock, Running").waitFor({ state: "attached" });
    // An instance that does not hold the run says who does, and claims nothing.
    const viewer = await shop.beside({ DURABLE_DRIVE: "false" });
    const there = await openPage(browser);
    try {
      await there.goto(`${viewer.origin}/durable/runs/order-run-1`);
      await there.getByText("Steps under way are shown by that instance").waitFor();
      equal(await there.getByText("Running when last seen").count(), 0, "what it cannot know");
      equal(await axe(there), [], "what breaks rules");
    } finally {
      await there.context().close();
      await viewer.close();
    }
    // Nobody knows whether it goes on once its process is gone.
    await page.getByRole("tab", { name: "Timeline" }).click();
    await running.waitFor();
    await shop.kill();
    await page.getByRole("option", { name: /reserve-stock.*Running when last seen/ }).waitFor();
    await inspector.getByText("last seen", { exact: true }).waitFor();
    equal(await axe(page), [], "what breaks rules");
    await shop.start();
    await running.waitFor();
  },
  { CHECKOUT_STEP_MS: "30000" },
);

test("new runs wait behind a pill, and rows change in place", async ({ shop, page }) => {
  await shop.order("p-1");
  await shop.run("order-p-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs`);
  await row(page, "order-p-1").getByText("Waiting for signal").waitFor();
  await isLive(page);
  await shop.order("p-2");
  await shop.order("p-3");
  await page.getByRole("button", { name: "2 new runs" }).waitFor();
  equal(await row(page, "order-p-2").count(), 0, "rows that moved in");
  await shop.approve("p-1");
  await row(page, "order-p-1").getByText("Completed").waitFor();
  // The parcel of the order is a run too, and so is the question that its shipment starts.
  await page.getByRole("button", { name: "4 new runs" }).click();
  await row(page, "order-p-3").waitFor();
  await row(page, "parcel-p-1").waitFor();
});

coreTest("nothing is lost or doubled when connections break", async ({ shop, page }) => {
  const proxy = await openProxy(shop.port, "");
  try {
    await shop.order("l-0");
    await page.goto(`${proxy.origin}/durable/runs`);
    await row(page, "order-l-0").waitFor();
    await isLive(page);
    for (let n = 1; n <= 30; n += 1) {
      await shop.order(`l-${n}`);
      if (n % 7 === 0) proxy.cut();
    }
    await page.getByRole("button", { name: "30 new runs" }).waitFor();
    await shop.approve("l-0");
    await row(page, "order-l-0").getByText("Completed").waitFor();
  } finally {
    await proxy.close();
  }
});

test("the search box filters, completes and explains", async ({ shop, page }) => {
  await shop.order("s-1");
  await shop.run("order-s-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs`);
  const box = page.getByRole("combobox", { name: "Search runs" });
  await box.fill("stat");
  await page.getByRole("option", { name: /^status:/ }).click();
  equal(await box.inputValue(), "status:", "the completed key");
  await box.pressSequentially("failed");
  await box.press("Enter");
  await page.getByText("No run matches").waitFor();
  ok(page.url().includes("status"), "the search is not in the address");
  await page.getByRole("button", { name: "Show all runs" }).click();
  await row(page, "order-s-1").waitFor();
  await box.fill("order-s");
  await row(page, "order-s-1").waitFor();
  await box.fill("newer:1h workflow:checkout status:done");
  await page.getByText("is no status").waitFor();
  await box.fill("");
  await page.getByRole("button", { name: "Waiting", exact: false }).first().click();
  await page.waitForURL(/suspended/);
  await row(page, "order-s-1").waitFor();
});

test("a run is looked at beside the list", async ({ shop, page }) => {
  for (const n of [1, 2]) {
    await shop.order(`v-${n}`);
    await shop.run(`order-v-${n}`, (run) => run.status === "suspended");
  }
  await page.goto(`${shop.origin}/durable/runs`);
  await row(page, "order-v-2").getByText("Waiting for signal").waitFor();
  await isLive(page);
  await page.keyboard.press("j");
  await page.keyboard.press("o");
  const look = (id) => page.getByRole("complementary", { name: `A look at ${id}` });
  await look("order-v-2").getByText("reserve-stock").waitFor();
  equal(await axe(page), [], "what breaks rules");
  // It goes along, is part of the address, and is as live as the list.
  await page.keyboard.press("j");
  await look("order-v-1").getByText("approve:v-1").first().waitFor();
  ok(page.url().includes("peek=order-v-1"), "the look is not in the address");
  await page.reload();
  await look("order-v-1").getByText("Waiting for signal").first().waitFor();
  await isLive(page);
  await shop.approve("v-1");
  await look("order-v-1").getByText("Completed", { exact: true }).first().waitFor();
  await look("order-v-1").getByText("finish-order").waitFor();
  await page.keyboard.press("Escape");
  await look("order-v-1").waitFor({ state: "detached" });
  ok(!page.url().includes("peek"), "the look is still in the address");
});

test("the list has the columns and the times that somebody wants", async ({ shop, page }) => {
  await shop.order("g-1");
  await shop.run("order-g-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs`);
  await row(page, "order-g-1").waitFor();
  await page.getByRole("button", { name: "Columns" }).click();
  const columns = page.getByRole("dialog", { name: "Columns" });
  await columns.getByLabel("Namespace").check();
  await columns.getByLabel("Took").uncheck();
  equal(await axe(page), [], "what breaks rules");
  await page.keyboard.press("Escape");
  const heads = () => page.getByRole("columnheader").allInnerTexts();
  ok((await heads()).includes("Namespace") && !(await heads()).includes("Took"), "the columns");
  await row(page, "order-g-1").getByText("default", { exact: true }).waitFor();
  ok(page.url().includes("cols="), "the columns are not in the address");
  // Somebody's choice stays, and an address shows its own.
  await page.goto(`${shop.origin}/durable/runs`);
  await page.getByRole("columnheader", { name: "Namespace" }).waitFor();
  await page.goto(`${shop.origin}/durable/runs?cols=owner`);
  await page.getByRole("columnheader", { name: "Held by" }).waitFor();
  equal(await page.getByRole("columnheader", { name: "Workflow" }).count(), 0, "hidden columns");

  await page.getByRole("button", { name: "Started: Any time" }).click();
  const times = page.getByRole("dialog", { name: "When runs were started" });
  await times.getByRole("button", { name: "Last hour" }).click();
  await page.waitForURL(/newer/);
  await row(page, "order-g-1").waitFor();
  await page.getByRole("button", { name: "Started: Last hour" }).click();
  await times.getByLabel("From").fill("2020-01-01T10:00");
  await times.getByLabel("To").fill("2020-01-01T09:00");
  await times.getByText("It ends before it begins").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await times.getByLabel("To").fill("2020-01-01T11:00");
  await times.getByRole("button", { name: "Show these" }).click();
  await page.getByText("No run matches").waitFor();
  ok(/from=\d+&to=\d+/.test(page.url()) && !page.url().includes("newer"), page.url());
  await page.getByRole("button", { name: "At any time" }).click();
  await row(page, "order-g-1").waitFor();
});

test("a part of a run's time is drawn larger, and what held it up is marked", async ({
  shop,
  page,
}) => {
  await shop.order("t-1");
  await shop.run("order-t-1", (run) => run.status === "suspended");
  await shop.approve("t-1");
  await shop.run("order-t-1", (run) => run.status === "completed");
  await page.goto(`${shop.origin}/durable/runs/order-t-1`);
  const strip = page.getByTitle("Draw over a part");
  const { x, y, width, height } = await strip.boundingBox();
  await page.mouse.move(x + width * 0.5, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.9, y + height / 2, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/z=\d+-\d+/);
  await page.getByRole("button", { name: "All of it" }).waitFor();
  equal(await axe(page), [], "what breaks rules");
  // An address shows the same part, and keys do what the pointer does.
  await page.reload();
  await page.getByRole("button", { name: "All of it" }).waitFor();
  await page.keyboard.press("z");
  await page.getByRole("button", { name: "All of it" }).waitFor({ state: "detached" });
  await page.keyboard.press("+");
  await page.waitForURL(/z=\d+-\d+/);
  await page.keyboard.press("-");
  await until("all is drawn", async () => !page.url().includes("z="));
  await page.getByLabel("Critical path").check();
  equal(await axe(page), [], "what breaks rules");
});

test("what a run has published is shown as it changes", async ({ shop, page }) => {
  await shop.order("e-9");
  await shop.run("order-e-9", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-e-9?view=io`);
  const values = page.getByRole("region", { name: "Published values" });
  await values.getByText("approval").waitFor();
  await isLive(page);
  await shop.approve("e-9");
  await values.getByText("shipping").waitFor();
  equal(await axe(page), [], "what breaks rules");
});

test("failed runs are retried from their reason", async ({ shop, page }) => {
  await shop.order("all", { quantity: 1_000_000 });
  await shop.run("order-all", (run) => run.status === "suspended");
  for (const n of [1, 2]) {
    await shop.order(`none-${n}`);
    await shop.run(`order-none-${n}`, (run) => run.status === "failed");
  }
  await shop.approve("all", false);
  await shop.run("order-all", (run) => run.status === "completed");
  await page.goto(`${shop.origin}/durable/errors`);
  await page.getByRole("button", { name: "Retry all of this workflow…" }).click();
  await page.getByText("2 runs match").waitFor();
  await page.getByRole("button", { name: "Retry 2 runs" }).click();
  await page.getByRole("region", { name: "Batch" }).getByText("2 runs retried").waitFor();
  for (const n of [1, 2]) await shop.run(`order-none-${n}`, (run) => run.status === "suspended");
});

test("a search leaves out what somebody does not want to see", async ({ shop, page }) => {
  await shop.order("m-1", { quantity: 2_000 });
  await shop.order("m-2");
  await shop.approve("m-1");
  await shop.run("parcel-m-1", (run) => run.display === "breakpoint");
  await shop.run("order-m-2", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs`);
  const box = page.getByRole("combobox", { name: "Search runs" });
  const shown = async (q, there, away) => {
    await box.fill(q);
    await box.press("Enter");
    for (const id of there) await row(page, id).waitFor();
    for (const id of away) await row(page, id).waitFor({ state: "detached" });
  };
  await shown("-workflow:ship", ["order-m-1", "order-m-2"], ["parcel-m-1"]);
  await shown("has:children", ["order-m-1"], ["order-m-2", "parcel-m-1"]);
  await shown("has:parent", ["parcel-m-1"], ["order-m-1", "order-m-2"]);
  await shown("-has:parent -has:children", ["order-m-2"], ["order-m-1", "parcel-m-1"]);
  await box.fill("-ta");
  await page.getByRole("option", { name: /^-tag:/ }).click();
  equal(await box.inputValue(), "-tag:", "the completed key");
  await box.fill("-older:1h");
  await page.getByText("is not known").waitFor();
});

test("many runs are cancelled at once", async ({ shop, page }) => {
  for (let n = 1; n <= 5; n += 1) await shop.order(`b-${n}`);
  await shop.run("order-b-5", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs`);
  await page.getByLabel("Select order-b-2").check();
  await page.getByLabel("Select order-b-3").check();
  await page.getByText("2 selected").waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel 2 runs" }).click();
  await page.getByText("2 runs cancelled").waitFor();
  await row(page, "order-b-2").getByText("Cancelled").waitFor();
  await row(page, "order-b-4").getByText("Waiting for signal").waitFor();
});

test("many runs are cancelled at once and undo what they did", async ({ shop, page }) => {
  for (let n = 1; n <= 3; n += 1) await shop.order(`u-${n}`, n < 3 ? {} : { sku: "lamp" });
  for (let n = 1; n <= 3; n += 1) {
    await shop.run(`order-u-${n}`, (run) => run.status === "suspended");
  }
  await page.goto(`${shop.origin}/durable/runs?q=order-u-1`);
  await page.getByLabel("Select order-u-1").check();
  // All that match: one, though three were started.
  await page.getByRole("button", { name: "cancel", exact: true }).click();
  await page.getByText("1 run matches").waitFor();
  await page.getByLabel("Undo what each of them has done first").check();
  equal(await axe(page), [], "what breaks rules");
  await page.getByRole("button", { name: "Undo and cancel 1 run" }).click();
  await row(page, "order-u-1").getByText("Cancelled").waitFor();
  equal(await shop.effects("u-1"), ["reserve", "release"], "what was done");
  equal(await shop.effects("u-2"), ["reserve"], "what was done for another");
});

test("many runs are paused and resumed at once", async ({ shop, page }) => {
  for (let n = 1; n <= 3; n += 1) await shop.order(`q-${n}`);
  for (let n = 1; n <= 3; n += 1) {
    await shop.run(`order-q-${n}`, (run) => run.status === "suspended");
  }
  await page.goto(`${shop.origin}/durable/runs`);
  for (const [verb, done, look] of [
    ["Pause", "paused", "Paused"],
    ["Resume", "resumed", "Waiting for signal"],
  ]) {
    await page.getByLabel("Select order-q-1").check();
    await page.getByLabel("Select order-q-2").check();
    await page.getByRole("button", { name: verb, exact: true }).click();
    equal(await axe(page), [], "what breaks rules");
    await page.getByRole("button", { name: `${verb} 2 runs` }).click();
    const tray = page.getByRole("region", { name: "Batch" });
    await tray.getByText(`2 runs ${done}`).waitFor();
    await tray.getByRole("button", { name: "Close" }).click();
    await row(page, "order-q-2").getByText(look, { exact: true }).waitFor();
    await row(page, "order-q-3").getByText("Waiting for signal").waitFor();
  }
});

test("two runs are compared", async ({ shop, page }) => {
  await shop.order("d-1");
  await shop.order("d-2", { total_cents: 5 });
  await shop.approve("d-1");
  await shop.approve("d-2", false);
  await shop.run("order-d-1", (run) => run.status === "completed");
  await shop.run("order-d-2", (run) => run.status === "completed");
  await page.goto(`${shop.origin}/durable/runs/order-d-1`);
  await page.getByRole("button", { name: "compare…" }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /order-d-2/ })
    .click();
  await page.getByText('"total_cents": 5').waitFor();
  await page.getByText("not there").first().waitFor();
});

test("what a run holds is text, whatever it looks like", async ({ shop, page }) => {
  const evil = '<img src=x onerror="window.hacked=true"><script>window.hacked=true</script>';
  await shop.order("x-1", { email: evil, sku: evil, quantity: 2_000_000 });
  await shop.run("order-x-1", (run) => run.status === "failed");
  for (const path of ["runs", "runs/order-x-1", "runs/order-x-1?view=io", "errors", ""]) {
    await page.goto(`${shop.origin}/durable/${path}`);
    await page.getByText("onerror").first().waitFor();
  }
  equal(await page.evaluate(() => window.hacked), undefined, "window.hacked");
});

test("a name is text too, of workflows, tags and those who act", async ({ shop, page }) => {
  const evil = '"><img src=x onerror="window.hacked=true"><script>window.hacked=true</script>';
  const tags = ["<b>tag</b>", "<script>window.hacked=true</script>"];
  const input = { id: "y-1", sku: "mug", quantity: 1, total_cents: 1, email: "a@b" };
  await shop.post("/runs", { workflow: "checkout", id: "order-y-1", input, tags });
  await shop.run("order-y-1", (run) => run.status === "suspended");
  await shop.post("/runs/order-y-1/pause", { reason: evil });
  // No workflow of the example is called so: the answers are changed on their way.
  await page.route("**/durable/api/**", async (route) => {
    if (!/\/(runs|workflows|survey|facets|failures)/.test(route.request().url())) {
      return route.fallback();
    }
    const answer = await route.fetch();
    const text = (await answer.text()).replaceAll('"checkout"', JSON.stringify(evil));
    await route.fulfill({ response: answer, body: text });
  });
  for (const path of ["runs", "runs/order-y-1", "workflows", "runs/new", ""]) {
    await page.goto(`${shop.origin}/durable/${path}`);
    await page.getByText("window.hacked").first().waitFor({ state: "attached" });
  }
  await page.goto(`${shop.origin}/durable/runs/order-y-1?view=audit`);
  await page.getByText("onerror").first().waitFor();
  await page.goto(`${shop.origin}/durable/runs?q=${encodeURIComponent(evil)}`);
  await settled(page);
  equal(await page.evaluate(() => window.hacked), undefined, "window.hacked");
  equal(await page.locator("img, b").count(), 0, "elements made of names");
});

test("a large payload is shown without freezing", async ({ shop, page }) => {
  await shop.order("large", { email: "x".repeat(1_500_000) });
  await shop.run("order-large", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/runs/order-large?view=io`);
  await page.getByText("total_cents").waitFor();
  await page.getByRole("tab", { name: "Timeline" }).click({ timeout: 5_000 });
  await page.getByRole("option", { name: /reserve-stock/ }).waitFor();
});

test(
  "a payload of 10 MB is previewed without freezing",
  async ({ shop, page }) => {
    const rows = Array.from({ length: 100_000 }, (_, n) => ({ n, note: "x".repeat(80) }));
    const input = { rows, text: "y".repeat(1_000_000) };
    ok(JSON.stringify(input).length > 10_000_000, "it is smaller");
    await shop.order("huge", input);
    await shop.run("order-huge", (run) => run.status === "suspended");
    await page.goto(`${shop.origin}/durable/runs/order-huge`);
    await stands(page, "Waiting for signal");
    await page.evaluate(() => {
      window.longest = 0;
      let last = performance.now();
      const beat = () => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - last);
        last = now;
        setTimeout(beat, 10);
      };
      beat();
    });
    await page.getByRole("tab", { name: "Input/Output" }).click();
    await page.getByText(/^1\d\.\d MB, of which the first 2\d\d kB$/).waitFor();
    const begins = page.getByRole("group", { name: "How input begins" });
    await begins.filter({ hasText: '"email":"ada@example.com"' }).waitFor();
    // Whole it is to be had as a file.
    const saved = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).click();
    const path = await (await saved).path();
    const whole = JSON.parse(readFileSync(path, "utf8"));
    equal(whole.rows.length, 100_000, "the rows of the file");
    await page.getByRole("tab", { name: "Timeline" }).click({ timeout: 5_000 });
    await page.getByRole("option", { name: /reserve-stock/ }).waitFor();
    const longest = await page.evaluate(() => window.longest);
    ok(longest < 2_000, `the page stood still for ${longest} ms`);
    await page.getByRole("tab", { name: "Input/Output" }).click();
    await begins.waitFor();
    equal(await axe(page), [], "what breaks rules");
  },
  { DURABLE_MAX_PAYLOAD: String(16 * 1024 * 1024) },
);

test("what the server refuses or cannot answer is said where it was asked", async ({
  shop,
  page,
}) => {
  await shop.order("e-1");
  await shop.run("order-e-1", (run) => run.status === "suspended");
  // 409: somebody else was faster.
  await page.goto(`${shop.origin}/durable/runs/order-e-1`);
  await page.route("**/pause", async (route) => {
    await shop.post("/runs/order-e-1/cancel");
    await route.continue();
  });
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByLabel("Reason").fill("half a sentence");
  await page.getByRole("button", { name: "Pause the run" }).click();
  const dialog = page.getByRole("dialog", { name: "Pause this run" });
  await dialog.getByRole("alert").waitFor();
  equal(await dialog.getByLabel("Reason").inputValue(), "half a sentence", "what was written");
  equal(await axe(page), [], "what breaks rules");
  // 403: somebody who may act no longer.
  const problem = (status, title, detail) => ({
    status,
    contentType: "application/problem+json",
    body: JSON.stringify({ type: "urn:x", title, status, detail }),
  });
  await page.unroute("**/pause");
  await page.route("**/pause", (route) =>
    route.fulfill(problem(403, "Forbidden", "you may look at runs, but not change them")),
  );
  await page.getByRole("button", { name: "Pause the run" }).click();
  await dialog.getByText("you may look at runs, but not change them").waitFor();
  await page.keyboard.press("Escape");
  // 5xx: what was read stays, and says from when it is.
  await page.goto(`${shop.origin}/durable/runs`);
  await row(page, "order-e-1").waitFor();
  await page.route("**/api/runs?*", (route) =>
    route.fulfill(problem(503, "Too slow", "the store did not answer in time")),
  );
  await shop.order("e-2");
  await page.getByRole("button", { name: "1 new run" }).click();
  const stale = page.getByRole("alert").filter({ hasText: "Showing data from" });
  await stale.getByText("the store did not answer in time").waitFor();
  await row(page, "order-e-1").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await page.unroute("**/api/runs?*");
  await stale.getByRole("button", { name: "Try again" }).click();
  await row(page, "order-e-2").waitFor();
  await stale.waitFor({ state: "detached" });
  // And nothing was read yet: the problem stands in place of the rows.
  await page.route("**/api/runs?*", (route) =>
    route.fulfill(problem(503, "Too slow", "the store did not answer in time")),
  );
  await page.goto(`${shop.origin}/durable/runs?q=is:broken`);
  await page.getByText("the store did not answer in time").waitFor();
});

const OPERATOR = {
  DURABLE_OPERATOR: "ada:correct-horse",
  DURABLE_LOGIN_SECRET: "a secret of thirty-two characters",
};

test(
  "who is not known signs in and is back where they were",
  async ({ shop, page }) => {
    equal(await shop.place("s-1"), 202, "the order at the shop itself");
    equal((await fetch(`${shop.api}/runs/order-s-1`)).status, 401, "the answer to a stranger");
    const { status } = await shop.post("/runs/order-s-1/cancel", {});
    equal(status, 401, "the answer to what a stranger does");
    await page.goto(`${shop.origin}/durable/runs/order-s-1?view=io`);
    const form = page.getByRole("dialog", { name: "Sign in" });
    await form.waitFor();
    equal(await axe(page), [], "what breaks rules");
    // By keys alone. The form has the focus, and there is no way around it.
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await form.waitFor();
    await form.getByLabel("Name").focus();
    await page.keyboard.type("ada");
    await page.keyboard.press("Tab");
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await form.getByText("The name or the password is wrong.").waitFor();
    equal(await form.getByLabel("Password").inputValue(), "", "the password");
    equal(await axe(page), [], "what breaks rules");
    await page.keyboard.type("correct-horse");
    await page.keyboard.press("Enter");
    await form.waitFor({ state: "detached" });
    await page.getByRole("tabpanel").getByText("ada@example.com").waitFor();
    ok(page.url().endsWith("/durable/runs/order-s-1?view=io"), `one is at ${page.url()}`);
    await isLive(page);
    await stands(page, "Waiting for signal");

    // A session that ends keeps what is being written.
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByLabel("Reason").fill("half a sentence");
    const cookies = await page.context().cookies();
    equal(
      cookies.map((it) => [it.httpOnly, it.sameSite]),
      [[true, "Strict"]],
      "the cookie",
    );
    const leave = async (route) => {
      await page.context().clearCookies();
      await route.continue();
    };
    await page.route("**/cancel?*", leave, { times: 1 });
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await form.waitFor();
    await form.getByLabel("Name").fill("ada");
    await form.getByLabel("Password").fill("correct-horse");
    await form.getByRole("button", { name: "Sign in" }).click();
    await form.waitFor({ state: "detached" });
    equal(await page.getByLabel("Reason").inputValue(), "half a sentence", "what was written");
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await stands(page, "Cancelled");
    ok(/actor="ada" action="cancel"/.test(shop.log), "no audit");

    await page.getByRole("button", { name: "Signed in as ada" }).click();
    equal(await axe(page), [], "what breaks rules");
    await page.getByRole("button", { name: "Log out" }).click();
    await form.waitFor();
    equal(await page.getByText("ada@example.com").count(), 0, "what was read before");
    equal(await page.context().cookies(), [], "cookies");
  },
  OPERATOR,
);

test("a page that a newer server has left behind says so", async ({ shop, page }) => {
  await page.goto(`${shop.origin}/durable/system`);
  await page.getByText("This instance").waitFor();
  await page.route("**/api/meta", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({
      response: answer,
      json: { ...(await answer.json()), version: "99.0.0" },
    });
  });
  // What a reconnected stream asks first.
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText("The server is now version 99.0.0").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByText("axum-durable 99.0.0").waitFor();
  equal(await page.getByText("The server is now version").count(), 0, "banners");
});

test("each instance says how it is doing", async ({ shop, page }) => {
  await shop.order("i-1");
  await shop.run("order-i-1", (run) => run.status === "suspended");
  await page.goto(`${shop.origin}/durable/`);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("k");
  await page.getByRole("heading", { name: "Workers", exact: true }).waitFor();
  await page.getByRole("heading", { name: "Alive" }).waitFor();
  await page.getByText("answers you").waitFor();
  await page.getByRole("link", { name: "checkout v1" }).waitFor();
  await page.getByText("payments.charge-card").waitFor();
  await page.getByText("owns 1 run").waitFor();
  equal(await axe(page), [], "what breaks rules");
});

test(
  "where nobody executes runs the page says so",
  async ({ shop, page }) => {
    await page.goto(`${shop.origin}/durable/workers`);
    await page.getByText("No instance executes runs").waitFor();
    await page.getByText("API only").waitFor();
    equal(await axe(page), [], "what breaks rules");
  },
  { DURABLE_DRIVE: "false" },
);

test("a workflow says which events start it, and its runs are there", async ({ shop, page }) => {
  await page.goto(`${shop.origin}/durable/workflows`);
  const known = page.getByRole("row", { name: /ask-for-review/ });
  await known.getByText("started by order.shipped").waitFor();
  equal(await axe(page), [], "what breaks rules");
  await known.getByRole("link", { name: "ask-for-review", exact: true }).click();
  await page.getByText("Started by events").waitFor();
  await shop.order("t-1");
  await shop.approve("t-1");
  await shop.run("order-t-1", (run) => run.status === "completed");
  await page.getByRole("tab", { name: "Runs" }).click();
  await page.getByRole("tabpanel").getByText("Sleeping").waitFor();
});

test("other sites may neither act nor frame", async ({ shop, page }) => {
  await shop.order("h-1");
  const evil = createServer((_request, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(`<title>evil</title><iframe src="${shop.origin}/durable/"></iframe>`);
  });
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
  try {
    page.problems.length = 0;
    const origin = `http://localhost:${evil.address().port}`;
    await page.goto(origin);
    const frame = await until("the frame", () => page.frames()[1]);
    await until("its refusal", async () => !(await frame.url()).startsWith(shop.origin));
    await page.evaluate(async (target) => {
      await fetch(target, { method: "POST", mode: "no-cors" }).catch(() => {});
    }, `${shop.api}/runs/order-h-1/cancel`);
    const { run } = await shop.get("/runs/order-h-1");
    ok(!["cancelled", "cancelling"].includes(run.status), `the run is ${run.status}`);
    page.problems.length = 0;
  } finally {
    evil.closeAllConnections();
    await new Promise((resolve) => evil.close(resolve));
  }
});

test("an instance without a control plane says what that means", async ({ shop, page }) => {
  await page.goto(`${shop.origin}/durable/system`);
  await page.getByText(STORE === "sqlite" ? "There is none" : "There is one").waitFor();
});

test(
  "it works at another base path",
  async ({ shop, page }) => {
    equal(shop.home, `${shop.origin}/ops/workflows`, "where it is");
    await shop.order("o-1");
    for (const path of ["", "/", "/runs/order-o-1?view=graph", "/runs/new?workflow=checkout"]) {
      await page.goto(`${shop.home}${path}`);
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      await isLive(page);
    }
    await page.getByRole("link", { name: "Runs", exact: true }).first().click();
    await row(page, "order-o-1").getByRole("link", { name: "order-o-1" }).click();
    equal(page.url(), `${shop.home}/runs/order-o-1`, "the address");
    await shop.approve("o-1");
    await stands(page, "Completed");
    equal((await fetch(`${shop.origin}/durable/`)).status, 404, "the usual place");
  },
  { DURABLE_BASE_PATH: "/ops/workflows" },
);

test("it works behind a proxy that strips a prefix", async ({ shop, page }) => {
  const proxy = await openProxy(shop.port, "/team-a");
  try {
    await shop.order("b-1");
    for (const path of ["/durable", "/durable/", "/durable/runs/order-b-1?view=graph"]) {
      await page.goto(`${proxy.origin}/team-a${path}`);
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      await isLive(page);
    }
    await page.getByText("reserve-stock").first().waitFor();
    await page.getByRole("link", { name: "System" }).click();
    await page.getByText("/team-a/durable", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("/team-a/durable", { exact: true }).waitFor();
  } finally {
    await proxy.close();
  }
});

test("what is not there says so", async ({ shop, page }) => {
  await page.goto(`${shop.origin}/durable/runs/none`);
  await page.getByText("No such run here").waitFor();
  await page.goto(`${shop.origin}/durable/no/such/page`);
  await page.getByText("There is no such page").waitFor();
  await page.goto(`${shop.origin}/durable/workflows/none`);
  await page.getByText("Not registered in this process").waitFor();
  equal((await fetch(`${shop.origin}/durable/assets/none.js`)).status, 404, "a missing file");
});

test("everything can be reached by keys alone", async ({ shop, page }) => {
  await shop.order("big", { quantity: 1_000_000 });
  await shop.run("order-big", (run) => run.status === "suspended");
  await shop.order("key-1");
  await shop.run("order-key-1", (run) => run.status === "failed");
  await page.goto(`${shop.origin}/durable/`);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await press("g", "r");
  await row(page, "order-key-1").waitFor();
  await press("/");
  await page.keyboard.type("status:failed");
  await press("Enter");
  await page.waitForURL(/status/);
  await until("the list is filtered", async () => (await row(page, "order-big").count()) === 0);
  await press("Escape", "Escape", "j", "Enter");
  await stands(page, "Failed");
  await press("]");
  await page.getByRole("heading", { name: "reserve-stock" }).waitFor();
  await press("r");
  await page.getByRole("dialog").waitFor();
  // The first stop is the way out, then the reason, then the two buttons.
  await page.getByRole("dialog").getByLabel("Reason").focus();
  await page.keyboard.type("by keys");
  await press("Tab", "Tab", "Enter");
  await page.getByText("order-key-1 is due again").waitFor();
  ok(shop.log.includes('reason="by keys"'), "no audit");
  await press("Control+k");
  await page.keyboard.type("order-bi");
  await page.getByRole("option", { name: /order-big/ }).waitFor();
  await press("ArrowDown", "ArrowUp");
  await page.getByRole("option", { name: /order-big/ }).waitFor();
  await press("Enter");
  await page.waitForURL(/order-big/);
  await press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await press("Escape");
  await press("s");
  await page.getByRole("dialog", { name: "Send a signal" }).waitFor();
});

test("no page breaks a rule of accessibility", async ({ shop, browser }) => {
  await fill(shop);
  const pages = [
    "",
    "runs",
    "runs?q=status:nonsense",
    "runs?peek=order-1",
    "runs?cols=workflow,namespace,parent,owner,changed,ended",
    "runs/new?workflow=checkout",
    "runs/order-1?step=5",
    "runs/order-7?step=7",
    "runs/parcel-8?step=0",
    "runs/order-1?view=graph",
    "runs/order-1?view=history",
    "runs/order-1?view=logs",
    "runs/order-1?view=io",
    "runs/order-1?view=children",
    "runs/order-1?view=audit",
    "runs/order-broken?step=0",
    "runs/order-1/compare/order-3",
    "workflows",
    "workflows/checkout",
    "workflows/checkout?tab=schema",
    "workers",
    "errors",
    "system",
  ];
  const wrong = [];
  for (const theme of ["light", "dark"]) {
    for (const width of [1360, 390]) {
      const page = await openPage(browser, { theme, width });
      for (const path of pages) {
        await page.goto(`${shop.origin}/durable/${path}`);
        await settled(page);
        for (const it of await axe(page)) wrong.push(`${theme} ${width} /${path}: ${it}`);
        const over = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        if (over > 0) wrong.push(`${theme} ${width} /${path}: ${over} px too wide`);
      }
      await page.goto(`${shop.origin}/durable/runs/order-3`);
      await settled(page);
      await page.getByRole("button", { name: "Send signal" }).waitFor();
      for (const [keys, name] of [
        ["s", "signal"],
        ["u", "update"],
        ["c", "cancel"],
        ["p", "pause"],
        ["Control+k", "palette"],
        ["?", "help"],
      ]) {
        await page.keyboard.press(keys);
        await page.locator("dialog[open]").waitFor();
        await settled(page);
        for (const it of await axe(page)) wrong.push(`${theme} ${width} ${name}: ${it}`);
        await page.keyboard.press("Escape");
        await page.locator("dialog[open]").waitFor({ state: "detached" });
      }
      wrong.push(...page.problems);
      await page.context().close();
    }
  }
  ok(wrong.length === 0, wrong.join("\n      "));
});

// --------------------------------------------------------------------------------------------

/** Runs in every state. */
async function fill(shop) {
  for (let n = 1; n <= 6; n += 1) {
    await shop.order(`${n}`);
    if (n % 3 !== 0) await shop.approve(`${n}`);
  }
  await shop.order("7", { total_cents: 250_000 });
  await shop.order("8", { quantity: 2_000 });
  for (const id of ["7", "8"]) await shop.approve(id);
  await shop.order("broken", { quantity: 2_000_000 });
  await shop.run("order-1", (run) => run.status === "completed");
  await shop.run("order-3", (run) => run.status === "suspended");
  await shop.run("order-7", (run) => run.display === "waiting_webhook");
  await shop.run("parcel-8", (run) => run.display === "breakpoint");
  await shop.run("order-broken", (run) => run.status === "failed");
}

/** Waits until nothing is being read or drawn any more. */
async function settled(page) {
  await page.locator("h1").first().waitFor({ state: "attached" });
  await until("the page is drawn", async () =>
    page.evaluate(() => document.querySelector('[aria-label="Loading"]') === null),
  );
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

async function axe(page) {
  // Evaluated and not inserted as a script: the page's policy allows no scripts but its own.
  await page.evaluate(readFileSync(axePath, "utf8"));
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    }),
  );
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .map((node) => node.target.join(" "))
        .slice(0, 3)
        .join(", ")}`,
  );
}

/** A proxy that strips a prefix and tells nothing of it, and can cut all connections. */
async function openProxy(port, prefix) {
  const sockets = new Set();
  const server = createServer((request, answer) => {
    if (!request.url.startsWith(prefix)) {
      answer.writeHead(404).end();
      return;
    }
    const path = request.url.slice(prefix.length) || "/";
    const host = `127.0.0.1:${port}`;
    const { method, headers } = request;
    const upstream = httpRequest(
      { host: "127.0.0.1", port, path, method, headers: { ...headers, host } },
      (found) => {
        answer.writeHead(found.statusCode, found.headers);
        found.pipe(answer);
      },
    );
    upstream.on("error", () => answer.destroy());
    answer.on("close", () => upstream.destroy());
    request.pipe(upstream);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const asked = process.argv.slice(2);
const words = asked.filter((it) => !it.startsWith("--")).join(" ");
const chosen = tests.filter(
  ({ name, isCore }) => name.includes(words) && (isCore || !asked.includes("--core")),
);
const browser = await openBrowser();
let failed = 0;
for (const { name, run, env } of chosen) {
  const began = Date.now();
  const shop = await Shop.open({ CHECKOUT_STEP_MS: "40", CHECKOUT_SETTLE_MS: "200", ...env });
  const page = await openPage(browser);
  try {
    await run({ shop, page, browser });
    equal(page.problems, [], "what the console says");
    console.log(`ok      ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n      ${error.stack ?? error}`);
    console.log(`      console: ${page.problems.join("\n      ")}`);
    mkdirSync(output, { recursive: true });
    const picture = join(output, `${name.replaceAll(/\W+/g, "-")}.png`);
    await page.screenshot({ path: picture }).catch(() => {});
  } finally {
    await page.context().close();
    await shop.close();
  }
}
await browser.close();
console.log(`on ${STORE}: ${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

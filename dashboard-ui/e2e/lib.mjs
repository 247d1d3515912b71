/** The real example, and a browser to look at it. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const repository = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** The built example; `CHECKOUT_BIN` names another one. */
const BINARY =
  process.env.CHECKOUT_BIN ??
  join(process.env.CARGO_TARGET_DIR ?? join(repository, "target"), "debug/axum-checkout");

/** Asks until the answer is as wished; fails after a while. */
export async function until(what, ask, { forMs = 45_000 } = {}) {
  const end = Date.now() + forMs;
  let last;
  while (Date.now() < end) {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(
    `not in time: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`,
  );
}

/** Where the shops keep what they know: `sqlite`, or `postgres` at `DURABLE_TEST_POSTGRES`. */
export const STORE = process.env.E2E_STORE ?? "sqlite";

const POSTGRES = process.env.DURABLE_TEST_POSTGRES ?? "postgres://root@127.0.0.1:5432/test";

const psql = (text) => execFileSync("psql", ["-qd", POSTGRES, "-c", text], { stdio: "pipe" });

/** A database of its own, and what removes it. */
function openDatabase() {
  if (STORE === "sqlite") return { env: {}, close: () => {} };
  const name = `durable_e2e_${process.pid}_${Date.now()}`;
  psql(`CREATE DATABASE ${name}`);
  const url = new URL(POSTGRES);
  url.pathname = `/${name}`;
  return {
    env: { DATABASE_URL: url.href },
    close: () => psql(`DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/** A shop with a database of its own, which can be killed and started again. */
export class Shop {
  #database;
  #folder;
  #isGuest;
  #process;
  #env;
  log = "";

  constructor(env = {}, { of } = {}) {
    this.#env = env;
    this.#isGuest = of !== undefined;
    this.#database = of ? of.#database : openDatabase();
    this.#folder = of ? of.#folder : mkdtempSync(join(tmpdir(), "durable-e2e-"));
  }

  static async open(env) {
    const shop = new Shop(env);
    await shop.start();
    return shop;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where the dashboard is. */
  get home() {
    return `${this.origin}${this.#env.DURABLE_BASE_PATH ?? "/durable"}`;
  }

  get api() {
    return `${this.home}/api`;
  }

  /** Starts it: at first on a port that it finds, later on the same one. */
  async start() {
    const before = this.log.length;
    const process_ = spawn(BINARY, [], {
      cwd: this.#folder,
      env: {
        ...process.env,
        RUST_LOG: "info",
        ...this.#database.env,
        ...this.#env,
        PORT: String(this.port ?? 0),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    process_.stdout.on("data", (text) => {
      this.log += text;
    });
    process_.stderr.on("data", (text) => {
      this.log += text;
    });
    this.#process = process_;
    this.port = await until("the shop opens", () => {
      const [, port] = this.log.slice(before).match(/open at http:\/\/[^ \n]*:(\d+)/) ?? [];
      return port === undefined ? undefined : Number(port);
    });
    await until("the shop answers", async () => (await fetch(`${this.origin}/healthz`)).ok);
  }

  /** Ends it the hard way, like a power cut. */
  async kill() {
    const process_ = this.#process;
    const gone = new Promise((resolve) => process_.once("exit", resolve));
    process_.kill("SIGKILL");
    await gone;
  }

  /** Another instance over the same store, with an environment of its own. */
  async beside(env) {
    const other = new Shop({ ...this.#env, ...env }, { of: this });
    await other.start();
    return other;
  }

  async close() {
    await this.kill();
    if (this.#isGuest) return;
    this.#database.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async get(path) {
    return (await fetch(`${this.api}${path}`)).json();
  }

  async post(path, body = {}) {
    const answer = await fetch(`${this.api}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }

  /** Places an order and returns the run's id. */
  async order(id, more = {}) {
    const input = {
      id: String(id),
      sku: "mug",
      quantity: 1,
      total_cents: 1_999,
      email: "ada@example.com",
      ...more,
    };
    const { body } = await this.post("/runs", { workflow: "checkout", id: `order-${id}`, input });
    return body.run_id;
  }

  /** Places an order as its customers do, and gives the status of the answer. */
  async place(id) {
    const order = { id, sku: "mug", quantity: 1, total_cents: 1_999, email: "ada@example.com" };
    const answer = await fetch(`${this.origin}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
    });
    return answer.status;
  }

  approve(id, approved = true) {
    return this.post(`/signals/approve:${id}`, { value: { approved, by: "Ada" } });
  }

  /** What was done for an order in the outside world, in order. */
  async effects(id) {
    const effects = await (await fetch(`${this.origin}/orders/${id}/effects`)).json();
    return effects.map((it) => it.effect);
  }

  /** Waits until a run is as wished. */
  run(id, test) {
    return until(`run ${id}`, async () => {
      const { run } = await this.get(`/runs/${id}?payloads=false`);
      return run !== undefined && test(run) ? run : undefined;
    });
  }
}

/** A browser with an empty profile. */
export function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page that remembers what went wrong on it. */
export async function openPage(browser, { theme = "light", width = 1360, height = 820 } = {}) {
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width, height },
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
  });
  context.setDefaultTimeout(45_000);
  if (process.env.E2E_DIST) await context.route(/^http/, fromDist);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // A connection that is cut off on purpose is reported here too.
    if (message.type() === "error" && !/Failed to load resource|ERR_/.test(text)) {
      page.problems.push(text);
    }
  });
  return page;
}

/**
 * Pages as they are in `dist`, and not as they were when the example was built: a change of them
 * takes no build of the server then (`E2E_DIST=1`).
 */
async function fromDist(route) {
  const request = route.request();
  const asset = /\/assets\/[^/?]+$/.exec(new URL(request.url()).pathname)?.[0];
  if (asset === undefined && request.resourceType() !== "document") return route.fallback();
  const dist = join(repository, "dashboard-ui/dist");
  if (asset !== undefined) {
    const path = join(dist, asset);
    return existsSync(path) ? route.fulfill({ path }) : route.fallback();
  }
  const answer = await route.fetch({ maxRedirects: 0 }).catch(() => undefined);
  if (answer === undefined) return route.abort();
  const base = /<base href="[^"]*"[^>]*>/.exec(await answer.text())?.[0];
  if (base === undefined) return route.fallback();
  const html = readFileSync(join(dist, "index.html"), "utf8");
  return route.fulfill({ response: answer, body: html.replace(/<base href="[^"]*"[^>]*>/, base) });
}

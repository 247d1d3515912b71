import type { components } from "./schema.js";

type LiveEvent = components["schemas"]["LiveEvent"];

/** What a stream follows: the list of runs, or one run after a revision. */
export type Topic = "runs" | { run: string; after?: number };

/** How a stream stands. */
export type LiveState =
  | "idle"
  | "connecting"
  | "live"
  | "retrying"
  | "offline"
  | "paused"
  | "refused";

/** What a stream follows and whom it tells. */
export interface LiveOptions {
  /** What to follow; asked again at each connection. */
  topics: () => Topic[];
  /** The position in the list's changes at which to begin: the `event_id` of a list. */
  after?: string;
  /** Something changed. */
  onEvent?: (event: LiveEvent) => void;
  /** More was missed than the server keeps: read the lists again. */
  onResync?: () => void;
  /** The stream stands differently. */
  onState?: (state: LiveState) => void;
  /** The server refused with this status (401, 403, 404); the stream stays closed. */
  onRefused?: (status: number) => void;
}

/** The server says something every 15 s; after this the connection counts as dead. */
const SILENCE_MS = 35_000;
/** Waits between attempts grow from the first to the second, each shortened by chance. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/**
 * One connection for everything that a page follows.
 *
 * It uses `EventSource`, but closes and reopens it by itself: the built-in retry gives up on any
 * answer but 200 and does not say how it stands.
 */
export class LiveStream {
  readonly #url: string;
  readonly #options: LiveOptions;
  #source: EventSource | undefined;
  #state: LiveState = "idle";
  #last: string | undefined;
  #failures = 0;
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, options: LiveOptions) {
    this.#url = url;
    this.#options = options;
    this.#last = options.after;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** The last position in the list's changes. */
  get position(): string | undefined {
    return this.#last;
  }

  /** When the server last said anything, by the clock here; 0 if it never has. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Begins at a position unless one is known already. */
  startAt(position: string): void {
    this.#last ??= position;
  }

  /** Opens it, or opens it again because the topics have changed. */
  open(): void {
    this.#disconnect();
    const topics = this.#options.topics();
    if (topics.length === 0) {
      this.#become("idle");
      return;
    }
    if (typeof navigator !== "undefined" && navigator.onLine === false) {
      this.#become("offline");
      return;
    }
    this.#become(this.#failures === 0 ? "connecting" : "retrying");
    const query = new URLSearchParams();
    for (const topic of topics) {
      query.append("topic", topic === "runs" ? topic : `run:${topic.run}@${topic.after ?? 0}`);
    }
    if (this.#last !== undefined) query.set("after", this.#last);
    const source = new EventSource(`${this.#url}?${query}`, { withCredentials: true });
    this.#source = source;
    this.#watch();
    source.addEventListener("hello", (event) => {
      this.#seen(event);
      this.#failures = 0;
      this.#become("live");
    });
    source.addEventListener("ev", (event) => {
      this.#seen(event);
      this.#options.onEvent?.(JSON.parse(event.data) as LiveEvent);
    });
    source.addEventListener("resync", (event) => {
      this.#seen(event);
      this.#options.onResync?.();
    });
    source.addEventListener("ping", () => this.#heard());
    source.addEventListener("bye", (event) => {
      // Whoever may not follow any more is told so; else the server stops, or another one answers.
      const { reason } = JSON.parse(event.data) as { reason?: string };
      if (reason === "signed_out") void this.#failed(true);
      else this.#retry(0);
    });
    source.addEventListener("error", () => void this.#failed());
  }

  /** Closes it until it is opened again. What changes meanwhile comes then. */
  pause(): void {
    this.#disconnect();
    this.#become("paused");
  }

  /** Closes it for good. */
  close(): void {
    this.#disconnect();
    this.#become("idle");
  }

  #seen(event: MessageEvent): void {
    if (event.lastEventId) this.#last = event.lastEventId;
    this.#heard();
  }

  #heard(): void {
    this.#heardAt = Date.now();
    this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#retry(), SILENCE_MS);
  }

  async #failed(isRefusal = false): Promise<void> {
    const source = this.#source;
    this.#disconnect();
    this.#failures += 1;
    this.#become("retrying");
    if (isRefusal || this.#failures >= 2) {
      // An EventSource does not say what the answer was.
      const refused = await this.#refusal();
      if (refused !== undefined) {
        this.#become("refused");
        this.#options.onRefused?.(refused);
        return;
      }
    }
    if (this.#source === undefined && source !== undefined && this.#state === "retrying") {
      this.#retry();
    }
  }

  async #refusal(): Promise<number | undefined> {
    const abort = new AbortController();
    const late = setTimeout(() => abort.abort(), 5_000);
    try {
      const url = this.#url.replace(/stream$/, "meta");
      const answer = await fetch(url, { signal: abort.signal, credentials: "include" });
      return [401, 403, 404].includes(answer.status) ? answer.status : undefined;
    } catch {
      return undefined;
    } finally {
      clearTimeout(late);
    }
  }

  #retry(wait?: number): void {
    this.#disconnect();
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    this.#become("retrying");
    this.#timer = setTimeout(() => this.open(), wait ?? Math.max(100, Math.random() * most));
  }

  #disconnect(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = undefined;
  }

  #become(state: LiveState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

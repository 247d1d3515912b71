import { durableClient, type LiveEvent } from "@durable/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

/** An `EventSource` that says what it is told to. */
class Source extends EventTarget {
  static opened: Source[] = [];
  isClosed = false;
  constructor(readonly url: string) {
    super();
    Source.opened.push(this);
  }
  close() {
    this.isClosed = true;
  }
  say(name: string, data: unknown) {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }
}

const topic = "run:order-7";
const step = (seq: number, rev: number) => ({ kind: "step", topic, data: { seq, rev } });
const run = (rev: number, status: string) => ({
  kind: "run",
  topic,
  data: { id: "order-7", rev, status, updated_at: rev, is_terminal: status === "completed" },
});

const last = () => Source.opened.at(-1)!;
const client = durableClient({ baseUrl: "http://durable.test/api/" });

describe("streamRun", () => {
  beforeEach(() => {
    Source.opened = [];
    vi.useFakeTimers();
    vi.stubGlobal("EventSource", Source);
    vi.stubGlobal("fetch", async () => new Response("{}", { status: 200 }));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("tells a function of each event, until the run has ended", () => {
    const told: LiveEvent[] = [];
    client.streamRun("order-7", (event) => told.push(event));
    expect(last().url).toBe("http://durable.test/api/stream?topic=run%3Aorder-7%400");
    last().say("hello", {});
    const events = [step(0, 1), run(1, "suspended"), step(0, 2), run(2, "completed")];
    for (const event of events) last().say("ev", event);
    expect(told).toEqual(events);
    expect(last().isClosed).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(Source.opened).toHaveLength(1);
  });

  it("goes on after a lost connection, with nothing lost and nothing twice", async () => {
    const told: LiveEvent[] = [];
    client.streamRun("order-7", (event) => told.push(event));
    last().say("hello", {});
    last().say("ev", step(0, 1));
    last().say("ev", run(1, "running"));
    last().say("ev", step(1, 2));
    // Cut off before the run's own event: the server tells the step once more.
    last().dispatchEvent(new Event("error"));
    await vi.advanceTimersByTimeAsync(40_000);
    expect(Source.opened.length).toBeGreaterThan(1);
    expect(last().url).toContain("run%3Aorder-7%401");
    last().say("hello", {});
    last().say("ev", step(1, 2));
    last().say("ev", step(2, 3));
    last().say("ev", run(3, "suspended"));
    last().say("ev", run(3, "suspended"));
    expect(told).toEqual([
      step(0, 1),
      run(1, "running"),
      step(1, 2),
      step(2, 3),
      run(3, "suspended"),
    ]);
  });

  it("tells an object what it names, and can be closed", () => {
    const onRun = vi.fn();
    const onGone = vi.fn();
    const close = client.streamRun("order-7", { onRun, onGone });
    last().say("ev", step(0, 1));
    last().say("ev", run(1, "running"));
    expect(onRun).toHaveBeenCalledTimes(1);
    close();
    expect(last().isClosed).toBe(true);
    client.streamRun("order-7", { onGone });
    last().say("ev", { kind: "gone", topic });
    expect(onGone).toHaveBeenCalledTimes(1);
    expect(last().isClosed).toBe(true);
  });

  it("tells of the steps that execute when they are others", () => {
    const onUnderWay = vi.fn();
    client.streamRun("order-7", { onUnderWay });
    const say = (at: number, ...seqs: number[]) =>
      last().say("ev", {
        kind: "under_way",
        topic,
        data: { instance: "i", is_here: true, at, steps: seqs.map((seq) => ({ seq })) },
      });
    say(1, 0);
    say(2, 0);
    say(3, 1);
    expect(onUnderWay.mock.calls.map(([it]) => it.at)).toEqual([1, 3]);
  });

  it("says when whoever follows may not any more", async () => {
    vi.stubGlobal("fetch", async () => new Response("{}", { status: 401 }));
    const onRefused = vi.fn();
    const stream = client.live({ topics: () => ["runs"], onRefused });
    stream.open();
    last().say("hello", {});
    last().say("bye", { reason: "signed_out" });
    await vi.advanceTimersByTimeAsync(10);
    expect(onRefused).toHaveBeenCalledWith(401);
    expect(stream.state).toBe("refused");
    expect(Source.opened).toHaveLength(1);
  });
});

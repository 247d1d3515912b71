import type { Checkpoint, UnderWay } from "@durable/client";
import { describe, expect, it, vi } from "vitest";

vi.mock("../live/live", () => ({ live: { heardAt: 0 }, useBadge: () => "live" }));

const { isStored, withUnderWay } = await import("./under-way");

const stored = (seq: number, status: string, attempt = 1): Checkpoint => ({
  seq,
  kind: "step",
  name: `s${seq}`,
  status,
  attempt,
  events: [],
  started_at: seq,
  finished_at: status === "completed" ? seq + 1 : null,
  rev: seq,
});

const underWay = (...steps: [seq: number, attempt: number][]): UnderWay => ({
  instance: "i-1",
  is_here: true,
  at: 100,
  steps: steps.map(([seq, attempt]) => ({
    seq,
    attempt,
    kind: "step",
    name: `s${seq}`,
    started_at: seq,
    began_at: 50,
    site: "b src/lib.rs:1:1",
  })),
});

const seen = (timeline: Checkpoint[], under: UnderWay, isOld = false) =>
  withUnderWay(timeline, under, isOld).map((it) => `${it.seq} ${it.status}`);

describe("steps under way", () => {
  it("stand among the operations that are stored", () => {
    const timeline = [stored(0, "completed"), stored(2, "waiting")];
    expect(seen(timeline, underWay([1, 1]))).toEqual(["0 completed", "1 running", "2 waiting"]);
    expect(withUnderWay(timeline, underWay([1, 1]), false).map(isStored)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("leave the list alone if there are none", () => {
    const timeline = [stored(0, "completed")];
    expect(withUnderWay(timeline, underWay(), false)).toBe(timeline);
    expect(withUnderWay(timeline, underWay([0, 1]), false)).toBe(timeline);
  });

  it("give way to an outcome that is stored, whenever that comes", () => {
    for (const [status, attempt, shown] of [
      ["completed", 2, "completed"],
      ["failed", 2, "failed"],
      ["abandoned", 1, "abandoned"],
      ["retrying", 2, "retrying"],
      ["retrying", 1, "running"],
    ] as const) {
      expect(seen([stored(3, status, attempt)], underWay([3, 2]))).toEqual([`3 ${shown}`]);
    }
  });

  it("keep what the last attempt has left", () => {
    const timeline = [{ ...stored(3, "retrying", 1), wake_at: 40, error: { message: "no" } }];
    const [step] = withUnderWay(timeline as Checkpoint[], underWay([3, 2]), false);
    expect(step).toMatchObject({ attempt: 2, began_at: 50, wake_at: null, rev: 3 });
    expect(step?.error?.message).toBe("no");
  });

  it("are never said to run by what may be old", () => {
    expect(seen([], underWay([0, 1]), true)).toEqual(["0 last_seen_running"]);
  });
});

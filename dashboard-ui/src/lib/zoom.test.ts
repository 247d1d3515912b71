import type { Checkpoint } from "@durable/client";
import { describe, expect, it } from "vitest";
import { critical } from "./critical";
import { scale } from "./scale";
import { around, between, readZoom, timeAt, writeZoom } from "./zoom";

describe("a part of a run's time", () => {
  it("reads back as it was written", () => {
    expect(readZoom(writeZoom({ from: 5, to: 90 }))).toEqual({ from: 5, to: 90 });
    for (const odd of [undefined, "", "5", "9-5", "5-9", "a-b", "-5-9"]) {
      expect(readZoom(odd)).toBeUndefined();
    }
  });

  it("lies between two points, in whatever order they were drawn", () => {
    expect(between(900, 100.5, 1_000)).toEqual({ from: 100, to: 900 });
    expect(between(-50, 400, 1_000)).toEqual({ from: 0, to: 400 });
    expect(between(0, 1_000, 1_000)).toBeUndefined();
    expect(between(5, 6, 1_000)).toBeUndefined();
  });

  it("comes nearer and goes farther, and stays inside", () => {
    const all = { from: 0, to: 1_000 };
    expect(around(all, 500, 0.5, 1_000)).toEqual({ from: 250, to: 750 });
    expect(around(all, 0, 0.5, 1_000)).toEqual({ from: 0, to: 500 });
    expect(around({ from: 900, to: 1_000 }, 1_000, 2, 1_000)).toEqual({ from: 800, to: 1_000 });
    expect(around({ from: 0, to: 600 }, 300, 2, 1_000)).toBeUndefined();
    expect(around({ from: 0, to: 10 }, 5, 0.5, 1_000)).toEqual({ from: 0, to: 10 });
  });

  it("is found on an axis that is squeezed", () => {
    const spans = [
      { from: 0, to: 1_000, isIdle: false },
      { from: 1_000, to: 90_000, isIdle: true },
      { from: 90_000, to: 91_000, isIdle: false },
    ];
    const axis = scale(spans, 0, 91_000, true);
    for (const time of [0, 500, 1_000, 40_000, 90_500, 91_000]) {
      expect(timeAt(axis, axis.at(time))).toBeCloseTo(time, 0);
    }
  });
});

describe("the critical path", () => {
  const step = (seq: number, started_at: number, finished_at: number | null): Checkpoint => ({
    seq,
    kind: "step",
    name: `s${seq}`,
    status: finished_at === null ? "waiting" : "completed",
    attempt: 1,
    events: [],
    started_at,
    finished_at,
    rev: seq,
  });

  it("goes back from the last end to what it waited for", () => {
    const steps = [step(0, 0, 10), step(1, 10, 50), step(2, 10, 80), step(3, 80, 90)];
    expect([...critical(steps, 100)]).toEqual([3, 2, 0]);
  });

  it("takes what has not ended as what lasts longest", () => {
    const steps = [step(0, 0, 10), step(1, 10, null), step(2, 10, 20)];
    expect([...critical(steps, 100)]).toEqual([1, 0]);
  });

  it("leaves out what was dropped", () => {
    const dropped = { ...step(2, 0, 100), status: "abandoned" };
    expect([...critical([step(0, 0, 10), dropped], 100)]).toEqual([0]);
    expect(critical([], 0).size).toBe(0);
  });
});

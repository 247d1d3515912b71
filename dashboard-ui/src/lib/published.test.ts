import type { Checkpoint } from "@durable/client";
import { describe, expect, it } from "vitest";
import { progressOf, publishedOf } from "./published";

const step = (seq: number, kind: string, name: string, status = "completed"): Checkpoint => ({
  seq,
  kind,
  name,
  status,
  attempt: 1,
  events: [],
  started_at: seq,
  rev: seq,
});

describe("published values", () => {
  it("are the newest of each key", () => {
    const timeline = [
      step(0, "set_event", "stage"),
      step(1, "step", "stage"),
      step(2, "set_event", "done"),
      step(3, "set_event", "stage"),
      step(4, "set_event", "stage", "failed"),
    ];
    expect(publishedOf(timeline).map((it) => [it.name, it.seq])).toEqual([
      ["stage", 3],
      ["done", 2],
    ]);
  });

  it.each([
    [0.25, 0.25],
    [0, 0],
    [1.5, undefined],
    [-1, undefined],
    [{ done: 3, total: 4 }, 0.75],
    [{ done: 5, total: 4 }, undefined],
    [{ done: 0, total: 0 }, undefined],
    [{ done: 1 }, undefined],
    ["0.5", undefined],
    [null, undefined],
  ])("say how far something is: %j", (value, expected) => {
    expect(progressOf(value)).toBe(expected);
  });
});

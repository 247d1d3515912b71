import type { Checkpoint } from "@durable/client";
import { describe, expect, it } from "vitest";
import { queueOf } from "./queue";

const step = (attempt: number, ...taken: [attempt: number, at: number][]): Checkpoint => ({
  seq: 0,
  kind: "remote",
  name: "charge",
  status: "completed",
  attempt,
  events: taken.map(([n, at]) => ({ type: "taken", attempt: n, at })),
  started_at: 100,
  finished_at: 500,
  rev: 1,
});

describe("the queue of a step", () => {
  it("is what lies between asking and taking", () => {
    expect(queueOf(step(1, [1, 350]))).toEqual({ takenAt: 350, queuedMs: 250, processingMs: 150 });
  });

  it("is not known of later attempts, and of steps that no worker has taken", () => {
    expect(queueOf(step(2, [1, 150], [2, 400]))).toEqual({ takenAt: 400, processingMs: 100 });
    expect(queueOf(step(2, [1, 150]))).toBeUndefined();
    expect(queueOf(step(1))).toBeUndefined();
  });

  it("goes on while the worker has it", () => {
    const open = { ...step(1, [1, 350]), finished_at: null };
    expect(queueOf(open)).toEqual({ takenAt: 350, queuedMs: 250 });
  });

  it("is nothing where clocks differ", () => {
    expect(queueOf(step(1, [1, 90]))?.queuedMs).toBe(0);
  });
});

import type {
  Checkpoint,
  LiveEvent,
  RunDetail,
  RunList,
  RunSummary,
  UnderWay,
} from "@durable/client";
import type { InfiniteData } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { fold, patchDetail, patchList } from "./patch";

const row = (id: string, rev: number, more: Partial<RunSummary> = {}): RunSummary => ({
  id,
  workflow: "checkout",
  version: 1,
  status: "running",
  display: "running",
  reason: "",
  is_terminal: false,
  tags: [],
  attributes: {},
  namespace: "",
  priority: 0,
  recoveries: 0,
  rev,
  created_at: 0,
  updated_at: rev,
  ...more,
});

const step = (seq: number, rev: number): Checkpoint => ({
  seq,
  kind: "step",
  name: `s${seq}`,
  status: "completed",
  attempt: 1,
  events: [],
  started_at: 0,
  rev,
});

const nobody = (at: number): UnderWay => ({ instance: null, is_here: false, at, steps: [] });

const told = (data: RunSummary, topic = "runs"): LiveEvent => ({ kind: "run", topic, data });

const list = (...pages: RunSummary[][]): InfiniteData<RunList> => ({
  pages: pages.map((runs) => ({ runs, event_id: "e-0" })),
  pageParams: pages.map(() => undefined),
});

describe("folding events", () => {
  it("keeps the last of each run and operation", () => {
    const folded = fold([
      told(row("a", 1)),
      told(row("a", 3)),
      told(row("a", 2)),
      { kind: "step", topic: "run:a", data: step(0, 1) },
      { kind: "step", topic: "run:a", data: step(0, 2) },
      told(row("a", 3), "run:a"),
      { kind: "gone", topic: "run:b" },
    ]);
    expect(folded.rows.get("a")?.rev).toBe(3);
    expect(folded.runs.get("a")?.steps.get(0)?.rev).toBe(2);
    expect(folded.runs.get("b")?.gone).toBe(true);
    expect(folded.many).toBe(false);
  });
});

describe("patching a list", () => {
  it("changes only what an event is about", () => {
    const before = list([row("a", 1), row("b", 1)], [row("c", 1)]);
    const after = patchList(before, new Map([["b", row("b", 2)]]))!;
    expect(after.pages[0]!.runs[1]!.rev).toBe(2);
    expect(after.pages[0]!.runs[0]).toBe(before.pages[0]!.runs[0]);
    expect(after.pages[1]).toBe(before.pages[1]);
  });

  it("is the same list if nothing is new", () => {
    const before = list([row("a", 5)]);
    expect(patchList(before, new Map([["a", row("a", 4)]]))).toBe(before);
    expect(patchList(before, new Map([["a", row("a", 5)]]))).toBe(before);
    expect(patchList(before, new Map([["x", row("x", 9)]]))).toBe(before);
    expect(patchList(undefined, new Map())).toBeUndefined();
  });

  it("takes a change from outside, which has no revision of its own", () => {
    const before = list([row("a", 5)]);
    const cancelling = row("a", 5, { status: "cancelling", display: "cancelling", updated_at: 9 });
    const after = patchList(before, new Map([["a", cancelling]]))!;
    expect(after.pages[0]!.runs[0]!.status).toBe("cancelling");
  });

  it("gives the same however often events are repeated", () => {
    const before = list([row("a", 1), row("b", 1)]);
    const rows = new Map([["a", row("a", 2)]]);
    const once = patchList(before, rows);
    expect(patchList(once, rows)).toBe(once);
  });
});

describe("patching a run", () => {
  const detail: RunDetail = {
    run: { ...row("a", 2), input: null },
    timeline: [step(0, 1), step(1, 2)],
    waiting_for: [],
    under_way: nobody(1),
    operations: 2,
  };

  it("replaces and adds operations in order", () => {
    const steps = new Map([
      [3, step(3, 4)],
      [1, step(1, 3)],
      [2, step(2, 4)],
    ]);
    const after = patchDetail(detail, { row: row("a", 4), steps })!;
    expect(after.timeline.map((it) => [it.seq, it.rev])).toEqual([
      [0, 1],
      [1, 3],
      [2, 4],
      [3, 4],
    ]);
    expect(after.timeline[0]).toBe(detail.timeline[0]);
    expect(after.run.rev).toBe(4);
    expect(after.operations).toBe(4);
  });

  it("is the same run if nothing is new", () => {
    const steps = new Map([[1, step(1, 2)]]);
    expect(patchDetail(detail, { row: row("a", 1), steps })).toBe(detail);
  });

  it("takes the last word on what is under way", () => {
    const { runs } = fold([
      { kind: "under_way", topic: "run:a", data: nobody(5) },
      { kind: "under_way", topic: "run:a", data: nobody(7) },
    ]);
    const after = patchDetail(detail, runs.get("a")!)!;
    expect(after.under_way.at).toBe(7);
    expect(after.timeline).toBe(detail.timeline);
    // What was read meanwhile is newer than what was told before.
    expect(patchDetail(after, { steps: new Map(), underWay: nobody(6) })).toBe(after);
  });
});

import type { Checkpoint } from "@durable/client";
import { describe, expect, it } from "vitest";
import { levels, outline, title } from "./outline";

const step = (seq: number, name: string, more: Partial<Checkpoint> = {}): Checkpoint => ({
  seq,
  kind: "step",
  name,
  status: "completed",
  attempt: 1,
  events: [],
  started_at: seq * 10,
  finished_at: seq * 10 + 10,
  rev: seq,
  ...more,
});

const shown = (steps: Checkpoint[], opened: string[] = []) =>
  outline(steps, new Set(opened)).map((item) =>
    item.type === "step"
      ? `${"  ".repeat(item.depth)}${title(item.step)}`
      : `${item.iterations.length} x ${item.body.join(", ")}`,
  );

const steps = (...names: string[]) => names.map((name, seq) => step(seq, name));

describe("folding", () => {
  it("leaves what does not repeat", () => {
    expect(shown(steps("a", "b", "c"))).toEqual(["a", "b", "c"]);
    expect(shown(steps("a", "a", "b"))).toEqual(["a", "a", "b"]);
    expect(shown([])).toEqual([]);
  });

  it("folds the shortest body that repeats three times", () => {
    expect(shown(steps("a", "b", "b", "b", "b", "c"))).toEqual(["a", "4 x b", "c"]);
    expect(shown(steps("x", "a", "b", "a", "b", "a", "b", "a"))).toEqual(["x", "3 x a, b", "a"]);
    expect(shown(steps("a", "a", "a", "a", "a", "a"))).toEqual(["6 x a"]);
  });

  it("takes names that differ in numbers for one", () => {
    expect(shown(steps("line 1", "line 2", "line 3", "ship"))).toEqual(["3 x line", "ship"]);
  });

  it("opens a fold", () => {
    expect(shown(steps("a", "a", "a"), ["f0"])).toEqual(["3 x a", "  a", "  a", "  a"]);
  });

  it("keeps the iteration that runs or failed in sight", () => {
    const list = steps("a", "a", "a", "a");
    list[3] = step(3, "a", { status: "retrying", finished_at: null });
    expect(shown(list)).toEqual(["3 x a", "a"]);
    list[3] = step(3, "a", { status: "failed" });
    expect(shown(list)).toEqual(["3 x a", "a"]);
  });

  it("counts what went wrong inside a fold", () => {
    const list = steps("a", "a", "a", "a");
    list[1] = step(1, "a", { status: "failed" });
    const [fold] = outline(list, new Set());
    expect(fold).toMatchObject({ type: "fold", failed: 1, open: 0 });
  });

  it("folds two thousand operations in a moment", () => {
    const many = Array.from({ length: 2_000 }, (_, seq) => step(seq, `part ${seq % 7} of ${seq}`));
    const before = performance.now();
    expect(outline(many, new Set()).length).toBeLessThan(10);
    expect(performance.now() - before).toBeLessThan(250);
  });
});

describe("what ran side by side", () => {
  const rows = (list: Checkpoint[]) =>
    levels(outline(list, new Set())).map((row) =>
      row.map((item) => (item.type === "step" ? item.step.name : "fold")),
    );

  it("tells sequences from fans", () => {
    expect(rows(steps("a", "b", "c"))).toEqual([["a"], ["b"], ["c"]]);
    const fan = [
      step(0, "a"),
      step(1, "left", { started_at: 10, finished_at: 40 }),
      step(2, "right", { started_at: 10, finished_at: 20 }),
      step(3, "after", { started_at: 40, finished_at: 50 }),
    ];
    expect(rows(fan)).toEqual([["a"], ["left", "right"], ["after"]]);
  });

  it("puts what is still open beside what began with it", () => {
    const list = [
      step(0, "wait", { started_at: 0, finished_at: null, status: "waiting" }),
      step(1, "timer", { started_at: 0, finished_at: null, status: "waiting" }),
    ];
    expect(rows(list)).toEqual([["wait", "timer"]]);
  });
});

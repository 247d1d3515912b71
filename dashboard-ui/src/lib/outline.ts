/**
 * The outline of a run: its operations with loops folded, as the timeline and the graph show them.
 *
 * A loop is the shortest body that repeats three times or more. A fold never hides what matters:
 * the newest iteration that is not done or has failed is pulled out beside it.
 */
import type { Checkpoint } from "@durable/client";

export type Item = StepItem | FoldItem;

export interface StepItem {
  type: "step";
  key: string;
  step: Checkpoint;
  depth: number;
}

export interface FoldItem {
  type: "fold";
  key: string;
  /** The names of the body, in order. */
  body: string[];
  /** Each iteration's operations. */
  iterations: Checkpoint[][];
  steps: Checkpoint[];
  failed: number;
  open: number;
  isOpen: boolean;
}

/** Fewer repetitions read better one by one. */
const LEAST = 3;
/** The longest body that is looked for. */
const LONGEST_BODY = 8;
/** Captures say nothing about the flow, and are shown only where someone looks for them. */
const CAPTURES = new Set([
  "now",
  "uuid",
  "random",
  "side_effect",
  "set_event",
  "tag",
  "switch",
  "note",
  "patch",
  "token",
  "reply",
  "unseen",
]);

export const isCapture = (step: Checkpoint): boolean => CAPTURES.has(step.kind);

const HAS_FAILED = new Set(["failed", "fatal", "timed_out"]);

export const hasFailed = (step: Checkpoint): boolean => HAS_FAILED.has(step.status);
const IS_RUNNING = new Set(["running", "last_seen_running"]);

/** Whether the operation is a step under way: see `under-way.ts`. */
export const isRunning = (step: Checkpoint): boolean => IS_RUNNING.has(step.status);
export const isOpen = (step: Checkpoint): boolean =>
  step.status === "waiting" || step.status === "retrying" || isRunning(step);

/** Names that differ in their numbers only count as one: `price line 7`. */
const shape = (step: Checkpoint): string => `${step.kind} ${step.name.replace(/\d+/g, "#")}`;

/** What an operation is called where its author gave it no name. */
export const title = (step: Checkpoint): string =>
  step.name === "" ? step.kind.replaceAll("_", " ") : step.name;

/** Folds the operations of a run. `opened` are the keys of folds that are shown in full. */
export function outline(steps: Checkpoint[], opened: ReadonlySet<string>): Item[] {
  const shapes = steps.map(shape);
  const items: Item[] = [];
  let at = 0;
  while (at < steps.length) {
    const loop = repetition(shapes, at);
    if (loop === undefined) {
      items.push(item(steps[at]!, 0));
      at += 1;
      continue;
    }
    const { length, times } = loop;
    let whole = times;
    // The running or failing iteration stands beside the fold.
    const last = steps.slice(at + (times - 1) * length, at + times * length);
    if (times > LEAST && last.some((it) => isOpen(it) || hasFailed(it))) whole -= 1;
    pushFold(items, steps.slice(at, at + whole * length), length, opened);
    at += whole * length;
  }
  return items;
}

const item = (step: Checkpoint, depth: number): StepItem => ({
  type: "step",
  key: `s${step.seq}`,
  step,
  depth,
});

function pushFold(
  items: Item[],
  steps: Checkpoint[],
  length: number,
  opened: ReadonlySet<string>,
): void {
  const iterations: Checkpoint[][] = [];
  for (let at = 0; at < steps.length; at += length) iterations.push(steps.slice(at, at + length));
  const key = `f${steps[0]!.seq}`;
  const isShown = opened.has(key);
  items.push({
    type: "fold",
    key,
    body: iterations[0]!.map((step) => title(step).replace(/\s*\d+$/, "")),
    iterations,
    steps,
    failed: steps.filter(hasFailed).length,
    open: steps.filter(isOpen).length,
    isOpen: isShown,
  });
  if (isShown) items.push(...steps.map((step) => item(step, 1)));
}

/** The shortest body that repeats from `at` on. */
function repetition(shapes: string[], at: number): { length: number; times: number } | undefined {
  for (let length = 1; length <= LONGEST_BODY; length += 1) {
    let end = at + length;
    while (end < shapes.length && shapes[end] === shapes[end - length]) end += 1;
    const times = Math.floor((end - at) / length);
    if (times >= LEAST) return { length, times };
  }
  return undefined;
}

/** Operations that were under way at the same time, in rows: what the graph draws side by side. */
export function levels(items: Item[]): Item[][] {
  const rows: Item[][] = [];
  let row: Item[] = [];
  let rowEndsAt = Number.POSITIVE_INFINITY;
  for (const it of items) {
    if (it.type === "fold") {
      if (row.length > 0) rows.push(row);
      rows.push([it]);
      row = [];
      rowEndsAt = Number.POSITIVE_INFINITY;
      continue;
    }
    const { started_at, finished_at } = it.step;
    // It began before any of the row was done: they ran side by side. What begins in the very
    // millisecond in which another one ends came after it.
    if (row.length > 0 && started_at >= rowEndsAt) {
      rows.push(row);
      row = [];
      rowEndsAt = Number.POSITIVE_INFINITY;
    }
    row.push(it);
    rowEndsAt = Math.min(rowEndsAt, finished_at ?? Number.POSITIVE_INFINITY);
  }
  if (row.length > 0) rows.push(row);
  return rows;
}

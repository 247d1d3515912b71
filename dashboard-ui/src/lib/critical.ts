/**
 * The critical path of a run: the operations that it would have had to be faster at to end sooner.
 * From the end backwards, each is the one whose end the next one waited for.
 */
import type { Checkpoint } from "@durable/client";

export function critical(steps: Checkpoint[], now: number): ReadonlySet<number> {
  const ends = steps
    .filter((step) => step.status !== "abandoned")
    .map((step) => ({
      seq: step.seq,
      from: step.started_at,
      to: Math.max(step.started_at, step.finished_at ?? now),
    }))
    // Of those that ended together the longest one counts.
    .sort((one, two) => two.to - one.to || one.from - two.from);
  const path = new Set<number>();
  let before = Number.POSITIVE_INFINITY;
  for (const { seq, from, to } of ends) {
    if (to > before) continue;
    path.add(seq);
    before = from;
  }
  return path;
}

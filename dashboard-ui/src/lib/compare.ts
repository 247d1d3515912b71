/** Operations of two runs side by side, by kind and name, each as often as it stands there. */
import type { Checkpoint } from "@durable/client";

export interface Pair {
  key: string;
  one?: Checkpoint;
  other?: Checkpoint;
}

export function pair(one: Checkpoint[], other: Checkpoint[]): Pair[] {
  const name = (step: Checkpoint) => `${step.kind} ${step.name}`;
  const waiting = new Map<string, Checkpoint[]>();
  for (const step of other) {
    const all = waiting.get(name(step));
    if (all === undefined) waiting.set(name(step), [step]);
    else all.push(step);
  }
  const taken = new Set<Checkpoint>();
  const pairs: Pair[] = one.map((step) => {
    const match = waiting.get(name(step))?.shift();
    if (match !== undefined) taken.add(match);
    return { key: `a${step.seq}`, one: step, other: match };
  });
  // What only the other has stands where it stood there.
  for (const step of other.filter((it) => !taken.has(it))) {
    const before = pairs.findLastIndex((it) => it.other !== undefined && it.other.seq < step.seq);
    pairs.splice(before + 1, 0, { key: `b${step.seq}`, other: step });
  }
  return pairs;
}

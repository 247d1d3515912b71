/** What a run has published. */
import type { Checkpoint } from "@durable/client";

/** The newest publication under each key, in the order of the first ones. */
export function publishedOf(timeline: Checkpoint[]): Checkpoint[] {
  const newest = new Map<string, Checkpoint>();
  for (const step of timeline) {
    if (step.kind === "set_event" && step.status === "completed") newest.set(step.name, step);
  }
  return [...newest.values()];
}

const part = (n: unknown): number | undefined =>
  typeof n === "number" && n >= 0 && n <= 1 ? n : undefined;

/** How far something is, if a value says so: a number from 0 to 1, or `{done, total}`. */
export function progressOf(value: unknown): number | undefined {
  if (typeof value === "number") return part(value);
  if (typeof value !== "object" || value === null) return undefined;
  const { done, total } = value as { done?: unknown; total?: unknown };
  if (typeof done !== "number" || typeof total !== "number" || total <= 0) return undefined;
  return part(done / total);
}

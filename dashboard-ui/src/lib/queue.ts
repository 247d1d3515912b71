/** How long a step was in a queue, and how long a worker had it. */
import type { Checkpoint } from "@durable/client";

export interface Queue {
  /** When a worker has taken the newest attempt. */
  takenAt: number;
  /** How long the first attempt had waited by then; later ones do not say when they were sent. */
  queuedMs?: number;
  /** How long the worker has had it, once it has ended. */
  processingMs?: number;
}

/** What is known of the newest attempt; `undefined` if no worker has told. */
export function queueOf(step: Checkpoint): Queue | undefined {
  const taken = step.events.findLast((event) => event.type === "taken");
  if (taken === undefined || taken.attempt !== step.attempt) return undefined;
  return {
    takenAt: taken.at,
    ...(step.attempt === 1 && { queuedMs: Math.max(0, taken.at - step.started_at) }),
    ...(step.finished_at != null && { processingMs: Math.max(0, step.finished_at - taken.at) }),
  };
}

/**
 * What can be done to a run as it stands. The server has the last word: a run may have gone on
 * meanwhile. This only keeps away what it would refuse.
 */
import type { Checkpoint, RunSummary } from "@durable/client";
import { isOpen, isRunning } from "./outline";
import { canCancel, canRetry } from "./status";

/** What whoever looks is allowed, and what the server offers. */
export interface May {
  act: boolean;
  administer: boolean;
  payloads: boolean;
  offers: (word: string) => boolean;
}

/** Everything that can be asked for on the page of a run. */
export type Ask =
  | "continue"
  | "signal"
  | "update"
  | "event"
  | "retry"
  | "retry_with_input"
  | "pause"
  | "resume"
  | "cancel"
  | "fork"
  | "force_fail"
  | "delete";

type Standing = Pick<RunSummary, "status" | "is_terminal" | "owner">;

/** What can be asked for. */
export function asks(run: Standing, timeline: Checkpoint[], may: May): ReadonlySet<Ask> {
  const found = new Set<Ask>();
  if (!may.act) return found;
  const add = (ask: Ask, isPossible: boolean, word: string = ask) => {
    if (isPossible && may.offers(word)) found.add(ask);
  };
  const { status } = run;
  add("continue", !run.is_terminal && timeline.some(isHeld));
  add("signal", !run.is_terminal);
  add("event", !run.is_terminal && eventsOf(timeline).length > 0, "events");
  add("update", !run.is_terminal && openUpdates(timeline).length > 0, "updates");
  add("retry", canRetry(status));
  add("retry_with_input", canRetry(status));
  add("pause", ["pending", "running", "suspended"].includes(status));
  add("resume", status === "paused", "pause");
  add("cancel", canCancel(status));
  add("fork", true);
  if (may.administer) {
    const isFree = status === "pending" && run.owner == null;
    add("force_fail", isFree || ["suspended", "blocked", "paused"].includes(status));
    add("delete", run.is_terminal);
  }
  return found;
}

/** Whether a run stands at this breakpoint. */
const isHeld = (step: Checkpoint): boolean =>
  step.kind === "breakpoint" && step.status === "waiting";

/** The events that a run waits for, each once. */
export const eventsOf = (timeline: Checkpoint[]): string[] => [
  ...new Set(timeline.filter((it) => it.kind === "event" && isOpen(it)).map((it) => it.name)),
];

/** The updates that a run takes. */
export const openUpdates = (timeline: Checkpoint[]): Checkpoint[] =>
  timeline.filter((it) => it.kind === "update" && isOpen(it));

/** Runs that take a result by hand for what they wait for, or failed of. */
const TAKES_RESULTS = ["suspended", "paused", "blocked", "failed", "dead"];

/** Whether an operation can be given a result by hand. */
export const canSkip = (run: Standing, step: Checkpoint, may: May): boolean =>
  may.act &&
  may.administer &&
  may.offers("skip_step") &&
  TAKES_RESULTS.includes(run.status) &&
  ((isOpen(step) && !isRunning(step)) || step.status === "fatal");

/** The runs that an operation has started or waits for, each once. */
export const runsOf = (step: Checkpoint): string[] => [
  ...new Set(step.events.flatMap((event) => (event.type === "run" ? [event.run_id] : []))),
];

/**
 * Steps that execute now, among the operations that are stored. Nothing of their beginning is
 * stored, so what is known of them is as old as the last word of the instance that holds the run.
 */
import type { Checkpoint, RunDetail, UnderWay } from "@durable/client";
import { useMemo } from "react";
import { live, useBadge } from "../live/live";
import { useNow } from "./now";
import { isOpen } from "./outline";

/** An operation as it is drawn: a stored one, or a step under way. */
export interface Shown extends Checkpoint {
  /** When the attempt that is under way began. */
  began_at?: number;
}

/** What is not older counts as told now. */
const FRESH_MS = 2_000;

/** The revision of what has no checkpoint yet. */
const NOT_STORED = -1;

export const isStored = (step: Checkpoint): boolean => step.rev !== NOT_STORED;

type StepUnderWay = UnderWay["steps"][number];

/** Whether what is stored says that the attempt is over. */
const isOvertaken = (step: StepUnderWay, stored: Checkpoint | undefined): boolean =>
  stored !== undefined && (!isOpen(stored) || stored.attempt >= step.attempt);

/** The operations with the steps that are under way; the same ones if there are none. */
export function withUnderWay(timeline: Checkpoint[], { steps }: UnderWay, isOld: boolean): Shown[] {
  if (steps.length === 0) return timeline;
  const stored = new Map(timeline.map((it) => [it.seq, it]));
  const running = new Map<number, Shown>();
  for (const step of steps) {
    const known = stored.get(step.seq);
    if (isOvertaken(step, known)) continue;
    running.set(step.seq, {
      ...(known ?? { events: [], rev: NOT_STORED }),
      ...step,
      status: isOld ? "last_seen_running" : "running",
      wake_at: null,
    });
  }
  if (running.size === 0) return timeline;
  const kept = timeline.filter((it) => !running.has(it.seq));
  return [...kept, ...running.values()].sort((one, two) => one.seq - two.seq);
}

/**
 * From when what is known of steps under way is, by the clock here; `undefined` while the stream
 * tells it as it changes.
 */
export function useAsOf(readAt: number): number | undefined {
  const isLive = useBadge() === "live";
  const now = useNow();
  if (isLive) return undefined;
  const asOf = Math.max(readAt, live.heardAt);
  return now - asOf < FRESH_MS ? undefined : asOf;
}

/** The run with the steps that are under way among its operations. */
export function useShown(detail: RunDetail, asOf: number | undefined): RunDetail {
  const { run, timeline, under_way } = detail;
  const isOld = asOf !== undefined;
  return useMemo(() => {
    // The last word on them may come after that on the run.
    if (run.is_terminal) return detail;
    const shown = withUnderWay(timeline, under_way, isOld);
    return shown === timeline ? detail : { ...detail, timeline: shown };
  }, [detail, run.is_terminal, timeline, under_way, isOld]);
}

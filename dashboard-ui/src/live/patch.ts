/**
 * What events do to cached answers. Whatever an event does not touch keeps its identity, so that
 * rows which did not change are not drawn again.
 */
import type {
  Checkpoint,
  LiveEvent,
  RunDetail,
  RunList,
  RunSummary,
  UnderWay,
} from "@durable/client";
import type { InfiniteData } from "@tanstack/react-query";

/** What is new about a run that is followed. */
export interface Changes {
  row?: RunSummary;
  steps: Map<number, Checkpoint>;
  underWay?: UnderWay;
  gone: boolean;
}

/** Events folded to the last one of each run and each operation. */
export interface Folded {
  /** Rows of the list, by id. */
  rows: Map<string, RunSummary>;
  /** Runs that are followed, by id. */
  runs: Map<string, Changes>;
  /** Whether lists are better read again. */
  many: boolean;
}

/** Whether `next` says more than `known`: an older revision never overwrites a newer one. */
export function isNewer(next: RunSummary, known: RunSummary): boolean {
  if (next.rev !== known.rev) return next.rev > known.rev;
  return next.updated_at > known.updated_at || next.status !== known.status;
}

/** Folds a batch of events. */
export function fold(events: LiveEvent[]): Folded {
  const folded: Folded = { rows: new Map(), runs: new Map(), many: false };
  const followed = (topic: string) => {
    const id = topic.slice("run:".length);
    let run = folded.runs.get(id);
    if (run === undefined) {
      run = { steps: new Map(), gone: false };
      folded.runs.set(id, run);
    }
    return run;
  };
  for (const event of events) {
    if (event.kind === "many") folded.many = true;
    else if (event.kind === "gone") followed(event.topic).gone = true;
    else if (event.kind === "step") followed(event.topic).steps.set(event.data.seq, event.data);
    else if (event.kind === "under_way") followed(event.topic).underWay = event.data;
    else {
      const row = event.data;
      const known = folded.rows.get(row.id);
      if (known === undefined || isNewer(row, known)) folded.rows.set(row.id, row);
      if (event.topic !== "runs") followed(event.topic).row = row;
    }
  }
  return folded;
}

/** The list with the rows that changed; the same list if none did. */
export function patchList(
  list: InfiniteData<RunList> | undefined,
  rows: Map<string, RunSummary>,
): InfiniteData<RunList> | undefined {
  if (list === undefined || rows.size === 0) return list;
  let touched = false;
  const pages = list.pages.map((page) => {
    let changed = false;
    const runs = page.runs.map((known) => {
      const next = rows.get(known.id);
      if (next === undefined || !isNewer(next, known)) return known;
      changed = true;
      return next;
    });
    if (!changed) return page;
    touched = true;
    return { ...page, runs };
  });
  return touched ? { ...list, pages } : list;
}

/** The run with what changed; the same if nothing did. */
export function patchDetail(
  detail: RunDetail | undefined,
  { row, steps, underWay }: Pick<Changes, "row" | "steps" | "underWay">,
): RunDetail | undefined {
  if (detail === undefined) return detail;
  const run =
    row !== undefined && isNewer(row, detail.run) ? { ...detail.run, ...row } : detail.run;
  const timeline = patchSteps(detail.timeline, steps);
  // What was read after it was told is the newer word.
  const under_way =
    underWay !== undefined && underWay.at >= detail.under_way.at ? underWay : detail.under_way;
  if (run === detail.run && timeline === detail.timeline && under_way === detail.under_way) {
    return detail;
  }
  const operations = Math.max(detail.operations, timeline.length);
  return { ...detail, run, timeline, under_way, operations };
}

function patchSteps(known: Checkpoint[], steps: Map<number, Checkpoint>): Checkpoint[] {
  if (steps.size === 0) return known;
  let touched = false;
  const seen = new Set<number>();
  const next = known.map((step) => {
    seen.add(step.seq);
    const news = steps.get(step.seq);
    if (news === undefined || news.rev <= step.rev) return step;
    touched = true;
    return news;
  });
  for (const step of steps.values()) {
    if (!seen.has(step.seq)) {
      touched = true;
      next.push(step);
    }
  }
  return touched ? next.sort((a, b) => a.seq - b.seq) : known;
}

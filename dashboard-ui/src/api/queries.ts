import type { RunDetail, RunFilter, UnderWay } from "@durable/client";
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useQuery,
} from "@tanstack/react-query";
import { useMemo } from "react";
import type { May } from "../lib/allowed";
import { type Search, wordsOf } from "../lib/search";
import { durable } from "./client";

/** Rows on a page of the list. */
const PAGE = 100;
/** Times in filters are rounded, so that a list is not another one each millisecond. */
const TICK_MS = 10_000;

const ago = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.round((Date.now() - ms) / TICK_MS) * TICK_MS;

/** The search as the API takes it. */
export function filterOf(search: Search): RunFilter {
  return {
    status: search.statuses.length > 0 ? search.statuses.join(",") : undefined,
    workflow: search.workflow,
    tag: search.tag,
    parent: search.parent,
    id_prefix: search.idPrefix,
    since: search.from ?? ago(search.newerMs),
    until: search.to ?? ago(search.olderMs),
    namespace: search.namespace,
    attr: search.attributes,
    q: wordsOf(search),
  };
}

export const runsQuery = (search: Search) =>
  infiniteQueryOptions({
    queryKey: ["runs", search],
    queryFn: ({ pageParam, signal }) =>
      durable.runs({ ...filterOf(search), after: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    maxPages: 100,
  });

/** The runs that a run has started. Its key begins like those of other lists, so it is as live. */
export const childrenQuery = (parent: string) =>
  infiniteQueryOptions({
    queryKey: ["runs", { parent }],
    queryFn: ({ pageParam, signal }) =>
      durable.runs({ parent, after: pageParam, limit: PAGE }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });

/** What was done to a run from outside; most of it moves the revision on. */
export const auditQuery = (id: string, rev: number) =>
  queryOptions({
    queryKey: ["audit", id, rev],
    queryFn: ({ signal }) => durable.audit(id, signal),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 30_000,
  });

/** What a cancellation would undo. */
export const undoQuery = (id: string, rev: number) =>
  queryOptions({
    queryKey: ["undo", id, rev],
    queryFn: ({ signal }) => durable.undo(id, signal),
    placeholderData: keepPreviousData,
    gcTime: 0,
  });

/** How many of the newest runs that match stand where, whatever statuses are searched for. */
export const facetsQuery = (search: Search) => {
  const asked = { ...search, statuses: [] };
  return queryOptions({
    queryKey: ["facets", asked],
    queryFn: ({ signal }) => {
      const { status: _, ...filter } = filterOf(asked);
      return durable.facets(filter, signal);
    },
    placeholderData: keepPreviousData,
    staleTime: 3_000,
  });
};

/** What a fork would do. */
export const forkQuery = (id: string, rev: number, fromSeq: number | undefined) =>
  queryOptions({
    queryKey: ["fork", id, rev, fromSeq],
    queryFn: ({ signal }) => durable.fork(id, { from_seq: fromSeq, dry_run: true }, signal),
    placeholderData: keepPreviousData,
    gcTime: 0,
  });

/** Nothing is known of steps under way. */
const NOBODY: UnderWay = { is_here: false, at: 0, steps: [] };

/** The most operations that a page shows. */
const MOST_OPERATIONS = 20_000;

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: async ({ signal }): Promise<RunDetail> => {
      const first = await durable.run(id, { signal });
      let next = first.timeline_next;
      // Revisions of the first page count: what changes meanwhile is told by the stream.
      while (next != null && first.timeline.length < MOST_OPERATIONS) {
        const page = await durable.run(id, { fromSeq: next, signal });
        first.timeline.push(...page.timeline);
        next = page.timeline_next;
      }
      // An instance of an older build may answer in the middle of a roll-out.
      return { ...first, under_way: first.under_way ?? NOBODY, timeline_next: next };
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

/** A first look at a run: its first operations, without payloads. */
export const peekQuery = (id: string, rev: number) =>
  queryOptions({
    queryKey: ["peek", id, rev],
    queryFn: ({ signal }) => durable.run(id, { signal }),
    placeholderData: keepPreviousData,
    gcTime: 30_000,
  });

export const explainQuery = (id: string, rev: number) =>
  queryOptions({
    queryKey: ["explain", id, rev],
    queryFn: ({ signal }) => durable.explain(id, signal),
    placeholderData: keepPreviousData,
  });

export const payloadsQuery = (id: string, rev: number) =>
  queryOptions({
    queryKey: ["payloads", id, rev],
    queryFn: ({ signal }) => durable.payloads(id, signal),
    placeholderData: keepPreviousData,
    gcTime: 30_000,
  });

/** What a run published under a key, as of the operation that did. */
export const publishedQuery = (id: string, key: string, seq: number) =>
  queryOptions({
    queryKey: ["published", id, key, seq],
    queryFn: ({ signal }) => durable.published(id, key, signal),
    placeholderData: keepPreviousData,
    gcTime: 30_000,
  });

export const stepQuery = (id: string, seq: number, rev: number) =>
  queryOptions({
    queryKey: ["step", id, seq, rev],
    queryFn: ({ signal }) => durable.step(id, seq, signal),
    placeholderData: keepPreviousData,
    gcTime: 30_000,
  });

export const surveyQuery = queryOptions({
  queryKey: ["survey"],
  queryFn: ({ signal }) => durable.survey(signal),
  placeholderData: keepPreviousData,
  staleTime: 3_000,
});

export const failuresQuery = queryOptions({
  queryKey: ["failures"],
  queryFn: ({ signal }) => durable.failures(signal),
  placeholderData: keepPreviousData,
});

export const workflowsQuery = queryOptions({
  queryKey: ["workflows"],
  queryFn: ({ signal }) => durable.workflows(signal),
  staleTime: 60_000,
});

/** Nothing is told of instances as they go; leases are short. */
const WORKERS_MS = 5_000;

export const workersQuery = queryOptions({
  queryKey: ["workers"],
  queryFn: ({ signal }) => durable.workers(signal),
  staleTime: WORKERS_MS,
  refetchInterval: WORKERS_MS,
});

export const metaQuery = queryOptions({
  queryKey: ["meta"],
  queryFn: ({ signal }) => durable.meta(signal),
  staleTime: 15_000,
  refetchInterval: 30_000,
});

/** What may be done here: what the API offers and whoever looks is allowed. */
export function useMay(): May {
  const { data: meta } = useQuery(metaQuery);
  return useMemo(
    () => ({
      act: meta?.access.act ?? false,
      administer: meta?.access.administer ?? false,
      payloads: meta?.access.payloads ?? false,
      offers: (word) => meta?.capabilities.includes(word) ?? false,
    }),
    [meta?.access, meta?.capabilities],
  );
}

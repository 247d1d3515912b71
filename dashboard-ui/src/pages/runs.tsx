/** The list of runs. */
import type { Batch } from "@durable/client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowUp, Play } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { queryClient } from "../api/client";
import { runsQuery, useMay } from "../api/queries";
import { type ColumnId, readColumns, writeColumns } from "../lib/columns";
import { count, plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import type { Between } from "../lib/range";
import {
  matches,
  parseSearch,
  type Search,
  type Searchable,
  without,
  withToken,
} from "../lib/search";
import { saveColumns, useColumns } from "../lib/settings";
import { live } from "../live/live";
import { runsRoute } from "../router";
import { BATCHES, type BatchAction, BatchDialog, BatchTray } from "../ui/batch";
import { Columns } from "../ui/columns";
import { Button, PageHead, Stale, Trouble, useTitle } from "../ui/kit";
import { SearchBox } from "../ui/search-box";
import { TimeRange } from "../ui/time-range";
import { Views } from "../ui/views";
import { FirstSteps } from "./first-steps";
import { NothingFound, StatusFilters } from "./runs-filters";
import { RunsTable } from "./runs-table";

const Peek = lazy(() => import("./runs-peek").then((it) => ({ default: it.Peek })));

/** What is offered for many runs, in this order. */
const ACTIONS = Object.keys(BATCHES) as BatchAction[];

/** Runs that appeared since the list was read and that it would show. */
function useNewRuns(search: Search, known: ReadonlySet<string>, readAt: number) {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const rows = useRef(known);
  rows.current = known;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a list that is read again has them
  useEffect(() => setIds(new Set()), [readAt, search]);
  useEffect(
    () =>
      live.onRow((row) => {
        // A run is new before it has children.
        if (rows.current.has(row.id) || search.hasChildren === true) return;
        if (!matches(search, row as Searchable, Date.now())) return;
        setIds((now) => (now.has(row.id) ? now : new Set(now).add(row.id)));
      }),
    [search],
  );
  return ids;
}

export default function Runs(): React.JSX.Element {
  const { q = "", from, to, cols, peek } = runsRoute.useSearch();
  const navigate = useNavigate({ from: "/runs" });
  const parsed = useMemo(() => {
    const read = parseSearch(q);
    return { ...read, search: { ...read.search, from, to } };
  }, [q, from, to]);
  const preferred = useColumns();
  const columns = useMemo(() => readColumns(cols ?? preferred), [cols, preferred]);
  const lastGood = useRef(parsed.search);
  if (parsed.problem === undefined) lastGood.current = parsed.search;
  const search = lastGood.current;
  const list = useInfiniteQuery(runsQuery(search));
  const may = useMay();
  useTitle(q === "" ? "Runs" : `${q} · Runs`);

  const { data, fetchNextPage, hasNextPage, isFetchingNextPage } = list;
  const runs = useMemo(() => data?.pages.flatMap((page) => page.runs) ?? [], [data]);
  const ids = useMemo(() => new Set(runs.map((run) => run.id)), [runs]);
  const fresh = useNewRuns(search, ids, list.dataUpdatedAt === 0 ? 0 : (data?.pages.length ?? 0));
  const firstId = data?.pages[0]?.event_id;
  useEffect(() => {
    if (firstId !== undefined) live.startAt(firstId);
  }, [firstId]);

  const setQ = useCallback(
    (next: string) =>
      void navigate({
        search: (now) => ({ ...now, q: next === "" ? undefined : next }),
        replace: true,
      }),
    [navigate],
  );
  const setBetween = (between: Between) =>
    void navigate({
      // The one or the other: a span moves along, these stand still.
      search: (now) => ({
        ...now,
        ...between,
        q: without(now.q ?? "", "newer", "older") || undefined,
      }),
      replace: true,
    });
  const setSpan = (span: string | undefined) =>
    void navigate({
      search: (now) => {
        const rest = now.q ?? "";
        const next = span === undefined ? without(rest, "newer") : withToken(rest, "newer", span);
        return { ...now, from: undefined, to: undefined, q: next || undefined };
      },
      replace: true,
    });
  const setColumns = (chosen: ColumnId[]) => {
    const text = writeColumns(chosen);
    saveColumns(text);
    void navigate({ search: (now) => ({ ...now, cols: text }), replace: true });
  };
  const setPeek = useCallback(
    (id: string | undefined) =>
      void navigate({ search: (now) => ({ ...now, peek: id }), replace: true }),
    [navigate],
  );
  const refresh = useCallback(() => {
    // The first page alone: what was scrolled to before is no longer below it.
    queryClient.setQueryData(runsQuery(search).queryKey, (known) =>
      known === undefined
        ? known
        : { pages: known.pages.slice(0, 1), pageParams: known.pageParams.slice(0, 1) },
    );
    void queryClient.invalidateQueries({ queryKey: runsQuery(search).queryKey });
  }, [search]);

  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [asks, setAsks] = useState<{ action: BatchAction; ids?: string[] }>();
  const [batch, setBatch] = useState<Batch>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other rows
  useEffect(() => setPicked(new Set()), [search]);
  const clear = useCallback(() => setPicked(new Set()), []);
  const readMore = useCallback(() => void fetchNextPage(), [fetchNextPage]);
  const toggle = useCallback((id: string) => {
    setPicked((now) => {
      const next = new Set(now);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);

  const box = useRef<HTMLDivElement>(null);
  const keys = useMemo(
    () => ({ n: () => may.act && void navigate({ to: "/runs/new" }) }),
    [may.act, navigate],
  );
  useKeys(keys);

  const looked = runs.find((run) => run.id === peek);
  const newer = parsed.tokens.find((it) => it.key === "newer")?.value;
  const isFree = q === "" && from === undefined && to === undefined;
  const isFirstRun = isFree && list.isSuccess && runs.length === 0;
  return (
    <div className="flex h-full flex-col">
      <PageHead
        title="Runs"
        aside={
          runs.length > 0 && (
            <>
              {count(runs.length)}
              {hasNextPage ? "+" : ""} {isFree ? "" : "matching"}
            </>
          )
        }
      >
        {may.act && (
          <Link
            to="/runs/new"
            className="inline-flex h-7 items-center gap-1.5 rounded-control border border-accent bg-accent px-2.5 text-dense font-medium text-on-accent hover:opacity-90 pointer-coarse:h-9"
          >
            <Play aria-hidden size={14} />
            Start run
          </Link>
        )}
      </PageHead>
      <div className="flex flex-col gap-2 px-4 pb-3">
        <div className="flex gap-2">
          <SearchBox q={q} parsed={parsed} onSearch={setQ} />
          <TimeRange newer={newer} between={{ from, to }} onSpan={setSpan} onBetween={setBetween} />
          <Views q={q} onPick={setQ} />
          <Columns chosen={columns} onChoose={setColumns} />
        </div>
        <StatusFilters search={search} q={q} onSearch={setQ} />
      </div>
      {list.error !== null && runs.length > 0 && (
        <Stale
          error={list.error}
          at={list.dataUpdatedAt}
          // The page that was missed, or all that are shown.
          retry={() => void (list.isFetchNextPageError ? fetchNextPage() : list.refetch())}
        />
      )}
      {list.error !== null && runs.length === 0 ? (
        <Trouble error={list.error} retry={() => void list.refetch()} />
      ) : isFirstRun ? (
        <FirstSteps />
      ) : (
        <div className="relative flex min-h-0 flex-1 border-t border-line">
          <RunsTable
            runs={runs}
            search={search}
            columns={columns}
            box={box}
            isPending={list.isPending}
            isOld={list.isPlaceholderData}
            hasMore={hasNextPage}
            isReading={isFetchingNextPage}
            readMore={readMore}
            canPick={may.act}
            picked={picked}
            onPick={toggle}
            onClear={clear}
            peek={peek}
            onPeek={setPeek}
          >
            {fresh.size > 0 && (
              <button
                type="button"
                onClick={() => {
                  refresh();
                  box.current?.scrollTo({ top: 0 });
                }}
                className="rise sticky bottom-4 left-1/2 z-20 -mt-10 inline-flex h-8 -translate-x-1/2 items-center gap-1.5 rounded-full border border-accent bg-page px-3 font-medium shadow-[var(--shadow)]"
              >
                <ArrowUp aria-hidden size={14} />
                {plural(fresh.size, "new run")}
              </button>
            )}
            {list.isSuccess && runs.length === 0 && (
              <NothingFound
                q={q}
                parsed={parsed}
                between={{ from, to }}
                onSearch={setQ}
                onAnyTime={() => setSpan(undefined)}
              />
            )}
          </RunsTable>
          {peek !== undefined && (
            <Suspense>
              <Peek id={peek} row={looked} onClose={() => setPeek(undefined)} />
            </Suspense>
          )}
        </div>
      )}
      {picked.size > 0 && (
        <div className="flex flex-wrap items-center gap-2 border-t border-line bg-raised px-4 py-2">
          <span className="font-medium">{count(picked.size)} selected</span>
          {ACTIONS.map((action) => (
            <Button
              key={action}
              icon={BATCHES[action].icon}
              onClick={() => setAsks({ action, ids: [...picked] })}
            >
              {BATCHES[action].verb}
            </Button>
          ))}
          <span className="mx-1 h-4 border-l border-line" />
          <span className="text-dim">All that match:</span>
          {ACTIONS.map((action) => (
            <Button key={action} look="quiet" onClick={() => setAsks({ action })}>
              {BATCHES[action].verb.toLowerCase()}
            </Button>
          ))}
          <Button look="quiet" className="ml-auto" onClick={clear}>
            Clear
          </Button>
        </div>
      )}
      {asks && (
        <BatchDialog
          action={asks.action}
          ids={asks.ids}
          search={search}
          onBegin={(begun) => {
            setBatch(begun);
            setPicked(new Set());
          }}
          onClose={() => setAsks(undefined)}
        />
      )}
      {batch && <BatchTray key={batch.id} batch={batch} onClose={() => setBatch(undefined)} />}
    </div>
  );
}

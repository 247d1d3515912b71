/** The list of runs. */
import type { Batch, RunSummary } from "@durable/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowUp, Play, SearchX, Shapes } from "lucide-react";
import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { queryClient } from "../api/client";
import { facetsQuery, runsQuery, useMay } from "../api/queries";
import { count, plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { useNow } from "../lib/now";
import {
  matches,
  parseSearch,
  type Search,
  type Searchable,
  token,
  without,
  withStatuses,
} from "../lib/search";
import { type RunStatus, runIsCutOff, runLook, STATUSES } from "../lib/status";
import { live } from "../live/live";
import { runsRoute } from "../router";
import { BATCHES, type BatchAction, BatchDialog, BatchTray } from "../ui/batch";
import { FastLink, runHref, searchHref } from "../ui/fast-link";
import {
  Button,
  cx,
  Empty,
  LookIcon,
  PageHead,
  RunState,
  Skeleton,
  Stale,
  TAG_LINK,
  Trouble,
  useTitle,
} from "../ui/kit";
import { SearchBox } from "../ui/search-box";
import { StillAt, Took, Until } from "../ui/time";
import { Views } from "../ui/views";
import { FirstSteps } from "./first-steps";

const ROW = 36;
/** What is offered for many runs, in this order. */
const ACTIONS = Object.keys(BATCHES) as BatchAction[];
/** Two lines on a phone. */
const TALL_ROW = 56;

/** Columns: what a phone cannot show stands below the first ones. */
const GRID =
  "grid grid-cols-[auto_minmax(0,1fr)_auto] content-center items-center gap-x-2 md:grid-cols-[28px_minmax(140px,170px)_minmax(100px,0.8fr)_minmax(130px,1fr)_minmax(150px,2.6fr)_130px_84px] md:gap-x-3";

function useIsPhone(): boolean {
  const [isPhone, set] = useState(() => matchMedia("(max-width: 767px)").matches);
  useEffect(() => {
    const query = matchMedia("(max-width: 767px)");
    const listen = () => set(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, []);
  return isPhone;
}

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
        if (rows.current.has(row.id) || !matches(search, row as Searchable, Date.now())) return;
        setIds((now) => (now.has(row.id) ? now : new Set(now).add(row.id)));
      }),
    [search],
  );
  return ids;
}

export default function Runs(): React.JSX.Element {
  const { q = "" } = runsRoute.useSearch();
  const navigate = useNavigate({ from: "/runs" });
  const parsed = useMemo(() => parseSearch(q), [q]);
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
      void navigate({ search: { q: next === "" ? undefined : next }, replace: true }),
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
  const [cursor, setCursor] = useState(-1);
  const [asks, setAsks] = useState<{ action: BatchAction; ids?: string[] }>();
  const [batch, setBatch] = useState<Batch>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other rows
  useEffect(() => {
    setPicked(new Set());
    setCursor(-1);
  }, [search]);
  const toggle = useCallback((id: string) => {
    setPicked((now) => {
      const next = new Set(now);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);

  const box = useRef<HTMLDivElement>(null);
  const isPhone = useIsPhone();
  const height = isPhone ? TALL_ROW : ROW;
  const rows = useVirtualizer({
    count: runs.length,
    getScrollElement: () => box.current,
    estimateSize: useCallback(() => height, [height]),
    overscan: 5,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: rows are measured anew
  useEffect(() => rows.measure(), [height]);
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && last >= runs.length - 20) void fetchNextPage();
  }, [last, runs.length, hasNextPage, isFetchingNextPage, fetchNextPage]);

  const keys = useMemo(() => {
    const move = (step: number) => {
      const next = Math.min(Math.max(cursor + step, 0), runs.length - 1);
      setCursor(next);
      rows.scrollToIndex(next);
    };
    return {
      j: () => move(1),
      k: () => move(-1),
      x: () => runs[cursor] && toggle(runs[cursor].id),
      Enter: () => {
        const run = runs[cursor];
        if (run) void navigate({ to: "/runs/$id", params: { id: run.id } });
      },
      n: () => may.act && void navigate({ to: "/runs/new" }),
      Escape: () => {
        setPicked(new Set());
        setCursor(-1);
      },
    };
  }, [cursor, runs, rows, may.act, navigate, toggle]);
  useKeys(keys);

  const isFirstRun = q === "" && list.isSuccess && runs.length === 0;
  return (
    <div className="flex h-full flex-col">
      <PageHead
        title="Runs"
        aside={
          runs.length > 0 && (
            <>
              {count(runs.length)}
              {hasNextPage ? "+" : ""} {q === "" ? "" : "matching"}
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
          <Views q={q} onPick={setQ} />
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
        <div
          ref={box}
          className={cx(
            "relative min-h-0 flex-1 overflow-y-auto border-t border-line",
            list.isPlaceholderData && "opacity-60 transition-opacity delay-300",
          )}
        >
          <div role="table" aria-label="Runs" aria-rowcount={hasNextPage ? -1 : runs.length + 1}>
            <div
              role="row"
              aria-rowindex={1}
              className={cx(
                GRID,
                "sticky top-0 z-10 hidden h-8 border-b border-line bg-raised px-3 text-dense text-dim md:grid",
              )}
            >
              <span role="columnheader">
                <span className="sr-only">Selected</span>
              </span>
              {["Status", "Workflow", "Run", "Waiting on / result", "Started", "Took"].map((it) => (
                <span key={it} role="columnheader">
                  {it}
                </span>
              ))}
            </div>
            {list.isPending && <Skeleton rows={12} height={height} />}
            <div role="rowgroup" className="relative" style={{ height: rows.getTotalSize() }}>
              {shown.map(({ index, start }) => {
                const run = runs[index]!;
                return (
                  <Row
                    key={run.id}
                    run={run}
                    index={index}
                    top={start}
                    height={height}
                    isPhone={isPhone}
                    isPicked={picked.has(run.id)}
                    isAt={cursor === index}
                    isPast={!matches(search, run, Date.now())}
                    canPick={may.act}
                    onPick={toggle}
                  />
                );
              })}
            </div>
          </div>
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
            <NothingFound q={q} parsed={parsed} onSearch={setQ} />
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
          <Button look="quiet" className="ml-auto" onClick={() => setPicked(new Set())}>
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

interface RowProps {
  run: RunSummary;
  index: number;
  top: number;
  height: number;
  isPhone: boolean;
  isPicked: boolean;
  isAt: boolean;
  /** It was on the list, and does not match any more. */
  isPast: boolean;
  canPick: boolean;
  onPick: (id: string) => void;
}

const Row = memo(function Row({
  run,
  index,
  top,
  height,
  isPhone,
  isPicked,
  isAt,
  isPast,
  canPick,
  onPick,
}: RowProps) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-run={run.id}
      className={cx(
        GRID,
        "absolute inset-x-0 border-b border-line px-3 hover:bg-raised",
        isPicked && "bg-accent-soft",
        isAt && "outline-2 -outline-offset-2 outline-accent",
        isPast && "opacity-55",
      )}
      style={{ height, transform: `translateY(${top}px)` }}
    >
      <span role="cell" className="relative z-1 hidden md:inline">
        {canPick && (
          <input
            type="checkbox"
            aria-label={`Select ${run.id}`}
            checked={isPicked}
            onChange={() => onPick(run.id)}
            className="size-3.5 align-middle"
          />
        )}
      </span>
      <span
        role="cell"
        className="col-span-2 row-start-1 flex min-w-0 gap-2 md:col-span-1 md:row-start-auto"
      >
        <span className="flex min-w-0 shrink-0 md:shrink">
          <RunState word={run.display} />
        </span>
        {isPhone && (
          <span className="flex min-w-0 text-dim">
            <Why run={run} />
          </span>
        )}
      </span>
      <span role="cell" className="row-start-2 flex min-w-0 items-center gap-1.5 md:row-start-auto">
        <span className="truncate">{run.workflow}</span>
        <span className="text-meta text-dim">v{run.version}</span>
      </span>
      <span
        role="cell"
        className="col-span-2 row-start-2 min-w-0 truncate md:col-span-1 md:row-start-auto"
      >
        <FastLink
          href={runHref(run.id)}
          className="font-mono text-dense after:absolute after:inset-0"
        >
          {run.id}
        </FastLink>
      </span>
      {!isPhone && (
        <span role="cell" className="flex min-w-0 items-center gap-2 text-dim">
          <Why run={run} />
          <span className="relative z-1 ml-auto hidden gap-1 xl:flex">
            {Object.entries(run.attributes)
              .slice(0, 2)
              .map(([key, value]) => (
                <FastLink
                  key={key}
                  href={searchHref(token("attr", `${key}:eq:${value}`))}
                  className={TAG_LINK}
                >
                  {key}={String(value)}
                </FastLink>
              ))}
            {run.tags.slice(0, 2).map((tag) => (
              <FastLink key={tag} href={searchHref(token("tag", tag))} className={TAG_LINK}>
                #{tag}
              </FastLink>
            ))}
          </span>
        </span>
      )}
      <span
        role="cell"
        className="col-start-3 row-start-1 text-dense text-dim md:col-start-auto md:row-start-auto"
      >
        <StillAt at={run.created_at} />
      </span>
      <span role="cell" className="hidden text-dense text-dim md:inline">
        <Took from={run.created_at} to={run.finished_at} />
      </span>
    </div>
  );
});

/** What a run waits for, or why it ended. */
export function Why({ run }: { run: RunSummary }) {
  const isOver = run.is_terminal || run.display === "running";
  if (run.reason === "" && run.until == null) return null;
  return (
    <span className="min-w-0 truncate" title={run.reason}>
      {run.reason}
      {run.until != null && !isOver && (
        <>
          {run.reason !== "" && " · "}
          {runIsCutOff(run.display) ? "times out " : ""}
          <Until at={run.until} />
        </>
      )}
    </span>
  );
}

function StatusFilters({
  search,
  q,
  onSearch,
}: {
  search: Search;
  q: string;
  onSearch: (q: string) => void;
}) {
  const { data: facets } = useQuery(facetsQuery(search));
  const counts = facets?.statuses as Record<string, number> | undefined;
  const isOn = (status: RunStatus) => search.statuses.includes(status);
  const shown = STATUSES.filter(
    (status) =>
      isOn(status) ||
      (counts?.[status] ?? 0) > 0 ||
      !["compensation_failed", "blocked", "paused", "cancelling"].includes(status),
  );
  return (
    <fieldset className="flex min-w-0 gap-1.5 overflow-x-auto p-px">
      <legend className="sr-only">
        Status
        {facets && !facets.is_complete && `, counted over the newest ${count(facets.runs)} runs`}
      </legend>
      {shown.map((status) => (
        <button
          key={status}
          type="button"
          aria-pressed={isOn(status)}
          onClick={() =>
            onSearch(
              withStatuses(
                q,
                isOn(status)
                  ? search.statuses.filter((it) => it !== status)
                  : [...search.statuses, status],
              ),
            )
          }
          className={cx(
            "inline-flex h-7 shrink-0 items-center gap-1.5 rounded-control border px-2 text-dense pointer-coarse:h-9",
            isOn(status)
              ? "border-accent bg-accent-soft font-medium"
              : "border-line hover:bg-raised",
          )}
        >
          <LookIcon look={{ ...runLook(status), spins: false }} />
          {runLook(status).label}
          {counts && <span className="text-dim">{count(counts[status] ?? 0)}</span>}
        </button>
      ))}
      {facets && !facets.is_complete && (
        <span className="self-center whitespace-nowrap text-meta text-dim">
          of the newest {count(facets.runs)}
        </span>
      )}
    </fieldset>
  );
}

function NothingFound({
  q,
  parsed,
  onSearch,
}: {
  q: string;
  parsed: ReturnType<typeof parseSearch>;
  onSearch: (q: string) => void;
}) {
  useNow();
  if (q === "") {
    return (
      <Empty icon={Shapes} title="No runs">
        Every run that is started appears here.
      </Empty>
    );
  }
  const keys = [...new Set(parsed.tokens.map((token) => token.key))];
  return (
    <Empty icon={SearchX} title="No run matches">
      <p className="font-mono text-dense">{q}</p>
      <div className="mt-3 flex flex-wrap justify-center gap-2">
        {keys.length > 1 &&
          keys.map((key) => (
            <Button key={key} onClick={() => onSearch(without(q, key))}>
              Without {key === "" ? "the id" : `${key}:`}
            </Button>
          ))}
        <Button look="primary" onClick={() => onSearch("")}>
          Show all runs
        </Button>
      </div>
    </Empty>
  );
}

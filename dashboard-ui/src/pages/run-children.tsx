/** The runs that a run has started, newest first. */
import type { RunSummary } from "@durable/client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { GitFork } from "lucide-react";
import { useEffect, useMemo } from "react";
import { queryClient } from "../api/client";
import { childrenQuery } from "../api/queries";
import { live } from "../live/live";
import { FastLink, runHref } from "../ui/fast-link";
import { Button, cx, Empty, RunState, Skeleton, Trouble } from "../ui/kit";
import { At, Took } from "../ui/time";

const GRID =
  "grid grid-cols-[minmax(110px,170px)_minmax(0,1fr)_64px] items-center gap-x-3 px-4 md:grid-cols-[170px_minmax(100px,0.7fr)_minmax(120px,1fr)_minmax(100px,1.4fr)_130px_84px]";

export function ChildrenView({ run }: { run: RunSummary }) {
  const list = useInfiniteQuery(childrenQuery(run.id));
  const { data, error, refetch } = list;
  const runs = useMemo(() => data?.pages.flatMap((page) => page.runs) ?? [], [data]);
  const known = useMemo(() => new Set(runs.map((it) => it.id)), [runs]);
  // Those that are shown change in place; a new one makes the list be read again.
  useEffect(
    () =>
      live.onRow((row) => {
        if (row.parent !== run.id || known.has(row.id)) return;
        void queryClient.invalidateQueries({ queryKey: childrenQuery(run.id).queryKey });
      }),
    [run.id, known],
  );
  if (error !== null) return <Trouble error={error} retry={() => void refetch()} />;
  if (data === undefined) return <Skeleton rows={6} />;
  if (runs.length === 0) {
    return (
      <Empty icon={GitFork} title="No children">
        This run has started no other runs{run.is_terminal ? "." : " so far."}
      </Empty>
    );
  }
  return (
    <div tabIndex={0} className="min-h-0 flex-1 overflow-auto">
      <div role="table" aria-label="Children">
        <div role="row" className={cx(GRID, "h-7 border-b border-line text-dense text-dim")}>
          <span role="columnheader">status</span>
          <span role="columnheader" className="hidden md:inline">
            workflow
          </span>
          <span role="columnheader">run</span>
          <span role="columnheader" className="hidden md:inline">
            waiting on
          </span>
          <span role="columnheader" className="hidden md:inline">
            started
          </span>
          <span role="columnheader">took</span>
        </div>
        {runs.map((it) => (
          <div
            key={it.id}
            role="row"
            data-run={it.id}
            className={cx(GRID, "relative h-9 border-b border-line hover:bg-raised")}
          >
            <span role="cell" className="flex min-w-0">
              <RunState word={it.display} />
            </span>
            <span role="cell" className="hidden truncate md:inline">
              {it.workflow}
            </span>
            <span role="cell" className="truncate font-mono text-dense">
              <FastLink href={runHref(it.id)} className="after:absolute after:inset-0">
                {it.id}
              </FastLink>
            </span>
            <span role="cell" className="hidden truncate text-dim md:inline">
              {it.reason}
            </span>
            <span role="cell" className="hidden truncate text-dense text-dim md:inline">
              <At at={it.created_at} />
            </span>
            <span role="cell" className="truncate text-dense text-dim">
              <Took from={it.created_at} to={it.finished_at} />
            </span>
          </div>
        ))}
      </div>
      {list.hasNextPage && (
        <div className="p-3 text-center">
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
    </div>
  );
}

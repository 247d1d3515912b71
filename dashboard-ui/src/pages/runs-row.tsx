/** A row of the list of runs. */
import type { RunSummary } from "@durable/client";
import { memo, type ReactNode } from "react";
import type { ColumnId } from "../lib/columns";
import { token } from "../lib/search";
import { runIsCutOff } from "../lib/status";
import { FastLink, runHref, searchHref } from "../ui/fast-link";
import { cx, RunState, TAG_LINK } from "../ui/kit";
import { StillAt, Took, Until } from "../ui/time";

/** What a phone cannot show stands below the first columns; elsewhere somebody chooses them. */
export const GRID =
  "grid grid-cols-[auto_minmax(0,1fr)_auto] content-center items-center gap-x-2 md:gap-x-3";

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
  columns: readonly ColumnId[];
  /** The tracks of the columns, except on a phone. */
  grid: string | undefined;
  onPick: (id: string) => void;
}

export const Row = memo(function Row({
  run,
  index,
  top,
  height,
  isPhone,
  isPicked,
  isAt,
  isPast,
  canPick,
  columns,
  grid,
  onPick,
}: RowProps) {
  const has = (id: ColumnId) => isPhone || columns.includes(id);
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-run={run.id}
      className={cx(
        GRID,
        "absolute inset-x-0 border-b border-line px-3 contain-content hover:bg-raised",
        isPicked && "bg-accent-soft",
        isAt && "outline-2 -outline-offset-2 outline-accent",
        isPast && "opacity-55",
      )}
      style={{
        height,
        transform: `translateY(${top}px)`,
        gridTemplateColumns: grid,
      }}
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
      {has("workflow") && (
        <span
          role="cell"
          className="row-start-2 flex min-w-0 items-center gap-1.5 md:row-start-auto"
        >
          <span className="truncate">{run.workflow}</span>
          <span className="text-meta text-dim">v{run.version}</span>
        </span>
      )}
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
      {!isPhone && has("why") && (
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
      {!isPhone && has("namespace") && <Cell>{run.namespace}</Cell>}
      {!isPhone && has("parent") && (
        <Cell>
          {run.parent != null && (
            <FastLink
              href={runHref(run.parent)}
              className="relative z-1 font-mono hover:text-ink hover:underline"
            >
              {run.parent}
            </FastLink>
          )}
        </Cell>
      )}
      {!isPhone && has("owner") && (
        <Cell>
          <span className="font-mono">{run.owner?.slice(0, 8)}</span>
        </Cell>
      )}
      {has("started") && (
        <span
          role="cell"
          className="col-start-3 row-start-1 text-dense text-dim md:col-start-auto md:row-start-auto"
        >
          <StillAt at={run.created_at} />
        </span>
      )}
      {!isPhone && has("changed") && (
        <Cell>
          <StillAt at={run.updated_at} />
        </Cell>
      )}
      {!isPhone && has("ended") && (
        <Cell>{run.finished_at != null && <StillAt at={run.finished_at} />}</Cell>
      )}
      {!isPhone && has("took") && (
        <Cell>
          <Took from={run.created_at} to={run.finished_at} />
        </Cell>
      )}
    </div>
  );
});

function Cell({ children }: { children: ReactNode }) {
  return (
    <span role="cell" className="min-w-0 truncate text-dense text-dim">
      {children}
    </span>
  );
}

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

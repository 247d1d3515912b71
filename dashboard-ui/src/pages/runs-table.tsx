/** The rows of the list of runs. Scrolling draws them alone, and nothing around them. */
import type { RunSummary } from "@durable/client";
import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, type RefObject, useCallback, useEffect, useMemo, useState } from "react";
import { COLUMNS, type ColumnId, leastWidth, tracks } from "../lib/columns";
import { useKeys } from "../lib/keys";
import { matches, type Search } from "../lib/search";
import { cx, Skeleton } from "../ui/kit";
import { GRID, Row } from "./runs-row";

const ROW = 36;
/** Two lines on a phone. */
const TALL_ROW = 56;

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

interface RunsTableProps {
  runs: readonly RunSummary[];
  search: Search;
  columns: readonly ColumnId[];
  /** What scrolls. */
  box: RefObject<HTMLDivElement | null>;
  isPending: boolean;
  /** The rows are those of the search before. */
  isOld: boolean;
  hasMore: boolean;
  isReading: boolean;
  readMore: () => void;
  canPick: boolean;
  picked: ReadonlySet<string>;
  onPick: (id: string) => void;
  onClear: () => void;
  peek: string | undefined;
  onPeek: (id: string | undefined) => void;
  /** What lies over or below the rows. */
  children: ReactNode;
}

export function RunsTable({
  runs,
  search,
  columns,
  box,
  isPending,
  isOld,
  hasMore,
  isReading,
  readMore,
  canPick,
  picked,
  onPick,
  onClear,
  peek,
  onPeek,
  children,
}: RunsTableProps): React.JSX.Element {
  const navigate = useNavigate();
  const [cursor, setCursor] = useState(-1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other rows
  useEffect(() => setCursor(-1), [search]);
  const isPhone = useIsPhone();
  const height = isPhone ? TALL_ROW : ROW;
  const grid = useMemo(() => tracks(columns), [columns]);
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
    if (hasMore && !isReading && last >= runs.length - 20) readMore();
  }, [last, runs.length, hasMore, isReading, readMore]);

  const keys = useMemo(() => {
    const move = (step: number) => {
      const next = Math.min(Math.max(cursor + step, 0), runs.length - 1);
      setCursor(next);
      rows.scrollToIndex(next);
      // The look goes along.
      if (peek !== undefined && runs[next]) onPeek(runs[next].id);
    };
    return {
      j: () => move(1),
      k: () => move(-1),
      x: () => runs[cursor] && onPick(runs[cursor].id),
      Enter: () => {
        const run = runs[cursor];
        if (run) void navigate({ to: "/runs/$id", params: { id: run.id } });
      },
      o: () => {
        const run = runs[Math.max(cursor, 0)];
        if (run) onPeek(run.id === peek ? undefined : run.id);
      },
      Escape: () => {
        if (peek !== undefined) return onPeek(undefined);
        onClear();
        setCursor(-1);
      },
    };
  }, [cursor, runs, rows, peek, navigate, onPick, onPeek, onClear]);
  useKeys(keys);

  return (
    <div
      ref={box}
      className={cx(
        "relative min-h-0 min-w-0 flex-1 overflow-auto",
        isOld && "opacity-60 transition-opacity delay-300",
      )}
    >
      <div
        role="table"
        aria-label="Runs"
        aria-rowcount={hasMore ? -1 : runs.length + 1}
        style={{ minWidth: isPhone ? undefined : leastWidth(columns) }}
      >
        <div
          role="row"
          aria-rowindex={1}
          className={cx(
            GRID,
            "sticky top-0 z-10 hidden h-8 border-b border-line bg-raised px-3 text-dense text-dim md:grid",
          )}
          style={{ gridTemplateColumns: grid }}
        >
          <span role="columnheader">
            <span className="sr-only">Selected</span>
          </span>
          {COLUMNS.filter((it) => columns.includes(it.id)).map(({ id, label }) => (
            <span key={id} role="columnheader" className="truncate">
              {label}
            </span>
          ))}
        </div>
        {isPending && <Skeleton rows={12} height={height} />}
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
                canPick={canPick}
                columns={columns}
                grid={isPhone ? undefined : grid}
                onPick={onPick}
              />
            );
          })}
        </div>
      </div>
      {children}
    </div>
  );
}

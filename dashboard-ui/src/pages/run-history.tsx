/** All that is stored about a run's operations, as a table. */
import type { RunDetail } from "@durable/client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Download } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { apiUrl } from "../lib/base";
import { title } from "../lib/outline";
import { cx, StepState } from "../ui/kit";
import { At, Took } from "../ui/time";

const ROW = 28;
const GRID =
  "grid grid-cols-[44px_44px_90px_minmax(120px,1fr)_minmax(110px,140px)_56px_120px_80px] items-center gap-x-2 px-3 min-w-[720px]";

export function HistoryView({
  detail,
  picked,
  onPick,
}: {
  detail: RunDetail;
  picked: number | undefined;
  onPick: (seq: number) => void;
}) {
  const [kind, setKind] = useState("");
  const [byRelease, setByRelease] = useState(false);
  const kinds = useMemo(
    () => [...new Set(detail.timeline.map((step) => step.kind))].sort(),
    [detail.timeline],
  );
  const steps = useMemo(() => {
    const kept = detail.timeline.filter((step) => kind === "" || step.kind === kind);
    const last = Number.POSITIVE_INFINITY;
    return byRelease ? kept.sort((a, b) => (a.ord ?? last) - (b.ord ?? last)) : kept;
  }, [detail.timeline, kind, byRelease]);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: steps.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const heads = ["seq", "ord", "kind", "name", "status", "tries", "began", "took"];
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line bg-raised px-3 py-1.5 text-dense text-dim">
        <label className="flex items-center gap-1.5">
          Kind
          <select
            className="h-6.5 rounded-control border border-line bg-page px-1 text-ink"
            value={kind}
            onChange={(event) => setKind(event.target.value)}
          >
            <option value="">all</option>
            {kinds.map((it) => (
              <option key={it}>{it}</option>
            ))}
          </select>
        </label>
        <label className="flex items-center gap-1.5">
          <input
            type="checkbox"
            checked={byRelease}
            onChange={(event) => setByRelease(event.target.checked)}
          />
          In the order in which outcomes were handed over
        </label>
        <a
          href={`${apiUrl}/runs/${encodeURIComponent(detail.run.id)}/history`}
          download={`${detail.run.id}.ndjson`}
          className="ml-auto inline-flex items-center gap-1.5 hover:text-ink hover:underline"
        >
          <Download aria-hidden size={13} /> NDJSON
        </a>
      </div>
      <div ref={box} tabIndex={0} className="min-h-0 flex-1 overflow-auto">
        <div role="table" aria-label="History" aria-rowcount={steps.length + 1}>
          <div
            role="row"
            aria-rowindex={1}
            className={cx(
              GRID,
              "sticky top-0 z-10 h-7 border-b border-line bg-page text-dense text-dim",
            )}
          >
            {heads.map((it) => (
              <span key={it} role="columnheader">
                {it}
              </span>
            ))}
          </div>
          <div role="rowgroup" className="relative" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map(({ index, start }) => {
              const step = steps[index]!;
              return (
                <div
                  key={step.seq}
                  role="row"
                  aria-rowindex={index + 2}
                  className={cx(
                    GRID,
                    "absolute inset-x-0 h-7 border-b border-line text-dense hover:bg-raised",
                    step.seq === picked && "bg-accent-soft",
                  )}
                  style={{ transform: `translateY(${start}px)` }}
                >
                  <span role="cell" className="font-mono">
                    {step.seq}
                  </span>
                  <span role="cell" className="font-mono text-dim">
                    {step.ord ?? "–"}
                  </span>
                  <span role="cell" className="truncate text-dim">
                    {step.kind}
                  </span>
                  <span role="cell" className="truncate">
                    <button
                      type="button"
                      onClick={() => onPick(step.seq)}
                      className="after:absolute after:inset-0"
                    >
                      {title(step)}
                    </button>
                  </span>
                  <span role="cell" className="flex min-w-0">
                    <StepState kind={step.kind} status={step.status} />
                  </span>
                  <span role="cell" className="text-dim">
                    {step.attempt || "–"}
                  </span>
                  <span role="cell" className="truncate text-dim">
                    <At at={step.started_at} />
                  </span>
                  <span role="cell" className="truncate text-dim">
                    {step.finished_at == null ? (
                      "–"
                    ) : (
                      <Took from={step.started_at} to={step.finished_at} />
                    )}
                  </span>
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </>
  );
}

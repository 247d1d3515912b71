/** What was done to a run from outside: what, by whom, when and why. */
import type { RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { ClipboardCheck } from "lucide-react";
import { auditQuery } from "../api/queries";
import { cx, Empty, Skeleton, Trouble } from "../ui/kit";
import { At } from "../ui/time";

const GRID =
  "grid grid-cols-[110px_100px_minmax(80px,140px)_minmax(140px,1fr)_minmax(140px,1fr)] gap-x-3 px-4 min-w-[640px]";
const HEADS = ["when", "what", "who", "why", "more"];

export function AuditView({ run }: { run: RunSummary }) {
  const { data, error, isPending, refetch } = useQuery(auditQuery(run.id, run.rev));
  if (error !== null) return <Trouble error={error} retry={() => void refetch()} />;
  if (isPending) return <Skeleton rows={4} />;
  if (data.lines.length === 0) {
    return (
      <Empty icon={ClipboardCheck} title="Nobody has interfered">
        What people do to this run, such as a pause or a retry, is listed here with who did it and
        why.
      </Empty>
    );
  }
  return (
    <div tabIndex={0} className="min-h-0 flex-1 overflow-auto">
      <div role="table" aria-label="Audit">
        <div role="row" className={cx(GRID, "border-b border-line py-1.5 text-dense text-dim")}>
          {HEADS.map((it) => (
            <span key={it} role="columnheader">
              {it}
            </span>
          ))}
        </div>
        {data.lines.map((line, index) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: lines are alike but for their place
            key={data.lines.length - index}
            role="row"
            className={cx(GRID, "border-b border-line py-1.5")}
          >
            <span role="cell" className="text-dense text-dim">
              <At at={line.at} />
            </span>
            <span role="cell" className="font-medium">
              {line.action.replaceAll("-", " ")}
            </span>
            <span role="cell" className={cx("break-words", line.actor == null && "text-dim")}>
              {line.actor ?? "the program"}
            </span>
            <span role="cell" className="break-words">
              {line.reason ?? <span className="text-dim">–</span>}
            </span>
            <span role="cell" className="font-mono text-dense break-words text-dim">
              {line.detail}
            </span>
          </div>
        ))}
      </div>
    </div>
  );
}

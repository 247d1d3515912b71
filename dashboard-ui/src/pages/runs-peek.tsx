/** A look at a run beside the list: where it stands, why, and what it did last. */
import type { RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { peekQuery } from "../api/queries";
import { plural } from "../lib/format";
import { isCapture, isOpen, title } from "../lib/outline";
import { FastLink, runHref } from "../ui/fast-link";
import { IconButton, RunState, Skeleton, StepState, Tag, Trouble } from "../ui/kit";
import { At, Took, Until } from "../ui/time";

/** Operations that are shown: the newest. */
const MOST = 12;

export function Peek({
  id,
  row,
  onClose,
}: {
  id: string;
  /** The run as the list has it, if it does: that is as live as the list. */
  row: RunSummary | undefined;
  onClose: () => void;
}) {
  const { data, error, isPending, refetch } = useQuery(peekQuery(id, row?.rev ?? 0));
  const run = row ?? (data?.run.id === id ? data.run : undefined);
  const steps = (data?.timeline ?? []).filter((step) => !isCapture(step));
  const last = steps.slice(-MOST).reverse();
  return (
    <aside
      aria-label={`A look at ${id}`}
      className="absolute inset-y-0 right-0 z-30 flex w-full max-w-md flex-col overflow-y-auto border-l border-line bg-page shadow-[var(--shadow)] xl:static xl:w-[26rem] xl:shrink-0 xl:shadow-none"
    >
      <header className="sticky top-0 z-10 flex items-start gap-2 border-b border-line bg-page px-4 py-2.5">
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-h2 font-semibold">{run?.workflow ?? "Run"}</h2>
          <FastLink href={runHref(id)} className="font-mono text-dense break-all underline">
            {id}
          </FastLink>
        </div>
        <IconButton icon={X} label="Close the look" onClick={onClose} />
      </header>
      {run && <Facts run={run} />}
      <section aria-label="What it did last" className="border-t border-line">
        {error !== null ? (
          <Trouble error={error} retry={() => void refetch()} />
        ) : isPending ? (
          <Skeleton rows={5} height={28} />
        ) : (
          <ol className="py-1">
            {last.map((step) => (
              <li key={step.seq}>
                <FastLink
                  href={`${runHref(id)}?step=${step.seq}`}
                  className="grid h-7 grid-cols-[2rem_minmax(0,1fr)_auto] items-center gap-2 px-4 hover:bg-raised"
                >
                  <span className="text-right font-mono text-meta text-dim">{step.seq}</span>
                  <span className="truncate">{title(step)}</span>
                  <span className="text-dense text-dim">
                    <StepState
                      kind={step.kind}
                      status={isOpen(step) && run?.is_terminal ? "abandoned" : step.status}
                    />
                  </span>
                </FastLink>
              </li>
            ))}
            {last.length === 0 && <li className="px-4 py-2 text-dim">No operation yet.</li>}
          </ol>
        )}
        {data !== undefined && steps.length > last.length && (
          <p className="px-4 pb-3 text-dense text-dim">
            of {plural(data.operations, "operation")}
            {data.timeline_next != null && ", of which the first are looked at"}
          </p>
        )}
      </section>
    </aside>
  );
}

function Facts({ run }: { run: RunSummary }) {
  return (
    <div className="flex flex-col gap-3 px-4 py-3">
      <p>
        <RunState word={run.display} />
      </p>
      {run.reason !== "" && <p className="break-words">{run.reason}</p>}
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-dense">
        <dt className="text-dim">started</dt>
        <dd>
          <At at={run.created_at} />
        </dd>
        <dt className="text-dim">{run.finished_at == null ? "for" : "took"}</dt>
        <dd>
          <Took from={run.created_at} to={run.finished_at} />
        </dd>
        {run.until != null && !run.is_terminal && (
          <>
            <dt className="text-dim">moves on</dt>
            <dd>
              <Until at={run.until} />
            </dd>
          </>
        )}
        {run.parent != null && (
          <>
            <dt className="text-dim">parent</dt>
            <dd className="min-w-0">
              <FastLink href={runHref(run.parent)} className="font-mono break-all underline">
                {run.parent}
              </FastLink>
            </dd>
          </>
        )}
      </dl>
      {run.tags.length > 0 && (
        <p className="flex flex-wrap gap-1">
          {run.tags.map((tag) => (
            <Tag key={tag} name={tag} href />
          ))}
        </p>
      )}
    </div>
  );
}

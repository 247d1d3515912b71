/** What a run has published by `ctx.set_event`: the latest value under each key, as it changes. */
import type { Checkpoint, RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { publishedQuery } from "../api/queries";
import { progressOf, publishedOf } from "../lib/published";
import { Json } from "../ui/json";
import { Skeleton, Trouble } from "../ui/kit";
import { Ago } from "../ui/time";

export function Published({ run, timeline }: { run: RunSummary; timeline: Checkpoint[] }) {
  const keys = publishedOf(timeline);
  if (keys.length === 0) return null;
  return (
    <section aria-label="Published values" className="min-w-0 xl:col-span-2">
      <h2 className="mb-2 text-h2 font-medium">Published values</h2>
      <ul className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
        {keys.map((step) => (
          <li key={step.name} className="min-w-0 rounded-card border border-line p-3">
            <p className="mb-2 flex items-baseline justify-between gap-3 text-dense">
              <span className="truncate font-mono">{step.name}</span>
              <span className="shrink-0 text-dim">
                <Ago at={step.started_at} />
              </span>
            </p>
            <Value run={run} step={step} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Value({ run, step }: { run: RunSummary; step: Checkpoint }) {
  const { data, error, isPending, refetch } = useQuery(publishedQuery(run.id, step.name, step.seq));
  if (error !== null) return <Trouble error={error} retry={() => void refetch()} />;
  if (isPending) return <Skeleton rows={1} height={28} />;
  const progress = progressOf(data);
  return (
    <>
      {progress !== undefined && (
        <progress
          aria-label={`${step.name}: ${Math.round(progress * 100)} %`}
          className="mb-2 h-1.5 w-full"
          max={1}
          value={progress}
        />
      )}
      <Json value={data ?? null} label={step.name} />
    </>
  );
}

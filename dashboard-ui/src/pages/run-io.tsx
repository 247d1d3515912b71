/** What went into a run and what came out. */
import type { Checkpoint, RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { payloadHref } from "../api/client";
import { payloadsQuery } from "../api/queries";
import { Json } from "../ui/json";
import { Skeleton, Trouble } from "../ui/kit";
import { FailureText } from "./run-inspector";
import { Published } from "./run-published";

export function IoView({ run, timeline }: { run: RunSummary; timeline: Checkpoint[] }) {
  const { data, error, isPending, refetch } = useQuery(payloadsQuery(run.id, run.rev));
  if (error !== null) return <Trouble error={error} retry={() => void refetch()} />;
  if (isPending) return <Skeleton rows={6} />;
  return (
    <div className="grid min-h-0 flex-1 content-start gap-6 overflow-y-auto p-4 xl:grid-cols-2">
      <section className="min-w-0">
        <h2 className="mb-2 text-h2 font-medium">Input</h2>
        <Json value={data.input} label="input" file={payloadHref(run.id, "input")} />
      </section>
      <section className="min-w-0">
        <h2 className="mb-2 text-h2 font-medium">{data.error == null ? "Output" : "Failure"}</h2>
        {data.error != null ? (
          <FailureText failure={data.error} />
        ) : run.status === "completed" ? (
          <Json value={data.output ?? null} label="output" file={payloadHref(run.id, "output")} />
        ) : (
          <p className="text-dim">The run has no output yet.</p>
        )}
      </section>
      <Published run={run} timeline={timeline} />
    </div>
  );
}

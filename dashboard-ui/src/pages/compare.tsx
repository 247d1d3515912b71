/** Two runs side by side: what went in, what came out, how long each part took. */
import type { RunDetail } from "@durable/client";
import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { diffLines } from "diff";
import { payloadsQuery, runQuery } from "../api/queries";
import { pair } from "../lib/compare";
import { duration } from "../lib/format";
import { isCapture, title } from "../lib/outline";
import { useFollow } from "../live/live";
import { compareRoute } from "../router";
import { Card, cx, PageHead, RunState, Skeleton, StepState, Trouble, useTitle } from "../ui/kit";
import { Took } from "../ui/time";

export default function Compare(): React.JSX.Element {
  const { id, other } = compareRoute.useParams();
  useTitle(`${id} and ${other}`);
  const runs = useQueries({ queries: [runQuery(id), runQuery(other)] });
  const payloads = useQueries({
    queries: [
      payloadsQuery(id, runs[0].data?.run.rev ?? 0),
      payloadsQuery(other, runs[1].data?.run.rev ?? 0),
    ],
  });
  const [one, two] = runs.map((it) => it.data);
  useFollow(id, one !== undefined);
  useFollow(other, two !== undefined);
  const error = runs.find((it) => it.error !== null)?.error;
  return (
    <>
      <PageHead title="Two runs" aside="side by side" />
      {error != null ? (
        <Trouble error={error} />
      ) : one === undefined || two === undefined ? (
        <Skeleton rows={10} />
      ) : (
        <div className="flex flex-col gap-4 px-4 pb-8">
          <div className="grid gap-4 md:grid-cols-2">
            <Summary detail={one} />
            <Summary detail={two} />
          </div>
          <Card title="Input">
            <Diff one={payloads[0].data?.input} other={payloads[1].data?.input} />
          </Card>
          <Card title="Outcome">
            <Diff
              one={payloads[0].data?.error ?? payloads[0].data?.output}
              other={payloads[1].data?.error ?? payloads[1].data?.output}
            />
          </Card>
          <Operations one={one} other={two} />
        </div>
      )}
    </>
  );
}

function Summary({ detail: { run } }: { detail: RunDetail }) {
  return (
    <Card>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2.5">
        <Link
          to="/runs/$id"
          params={{ id: run.id }}
          className="font-mono text-dense hover:underline"
        >
          {run.id}
        </Link>
        <span>
          {run.workflow} <span className="text-meta text-dim">v{run.version}</span>
        </span>
        <RunState word={run.display} />
        <span className="text-dim">
          <Took from={run.created_at} to={run.finished_at} />
        </span>
      </div>
    </Card>
  );
}

const text = (value: unknown) => `${JSON.stringify(value ?? null, null, 2)}\n`;

function Diff({ one, other }: { one: unknown; other: unknown }) {
  const parts = diffLines(text(one), text(other));
  if (parts.length === 1 && !parts[0]!.added && !parts[0]!.removed) {
    return <p className="px-3 py-3 text-dim">The same in both.</p>;
  }
  return (
    <pre tabIndex={0} className="max-h-96 overflow-auto py-2 font-mono text-dense">
      {parts.map((part, index) => {
        const mark = part.added ? "+" : part.removed ? "−" : " ";
        return part.value
          .replace(/\n$/, "")
          .split("\n")
          .map((line, at) => (
            <div
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
              key={`${index} ${at}`}
              className={cx(
                "px-3",
                part.added && "border-l-2 border-l-completed bg-raised",
                part.removed && "border-l-2 border-l-failed bg-raised",
                !part.added && !part.removed && "border-l-2 border-l-transparent text-dim",
              )}
            >
              {mark} {line}
            </div>
          ));
      })}
    </pre>
  );
}

function Operations({ one, other }: { one: RunDetail; other: RunDetail }) {
  const shown = (detail: RunDetail) => detail.timeline.filter((step) => !isCapture(step));
  const pairs = pair(shown(one), shown(other));
  const took = (step: { started_at: number; finished_at?: number | null } | undefined) =>
    step?.finished_at == null ? undefined : step.finished_at - step.started_at;
  return (
    <Card title="Operations">
      <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label="Operations">
        <table className="w-full text-left">
          <thead className="text-dense text-dim">
            <tr>
              {["Operation", one.run.id, "", other.run.id, "", "Difference"].map((it, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
                <th key={index} className="px-3 py-1.5 font-normal">
                  {it}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {pairs.map((it) => {
              const [a, b] = [took(it.one), took(it.other)];
              const by = a === undefined || b === undefined ? undefined : b - a;
              return (
                <tr key={it.key} className="border-t border-line">
                  <td className="px-3 py-1.5">{title((it.one ?? it.other)!)}</td>
                  {[it.one, it.other].map((step, index) => (
                    <Cells
                      // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
                      key={index}
                      step={step}
                      took={index === 0 ? a : b}
                    />
                  ))}
                  <td className="px-3 py-1.5 font-mono text-dense">
                    {by === undefined ? "–" : `${by < 0 ? "−" : "+"}${duration(Math.abs(by))}`}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Cells({
  step,
  took,
}: {
  step: { kind: string; status: string } | undefined;
  took: number | undefined;
}) {
  return (
    <>
      <td className="px-3 py-1.5">
        {step ? (
          <StepState kind={step.kind} status={step.status} />
        ) : (
          <span className="text-dim">not there</span>
        )}
      </td>
      <td className="px-3 py-1.5 font-mono text-dense text-dim">
        {took === undefined ? "" : duration(took)}
      </td>
    </>
  );
}

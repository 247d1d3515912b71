/** What can be run here, and how it has been doing. */
import type { WorkflowSurvey, WorkflowVersion } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { GitCompareArrows, Megaphone, Play } from "lucide-react";
import { surveyQuery, useMay, workflowsQuery } from "../api/queries";
import { count, duration, plural } from "../lib/format";
import { token } from "../lib/search";
import { Card, PageHead, Skeleton, Tag, Trouble, useTitle } from "../ui/kit";
import { FirstSteps } from "./first-steps";

const FAILED = ["failed", "dead", "blocked", "compensation_failed"];
const OPEN = ["pending", "running", "suspended", "cancelling"];

export default function Workflows(): React.JSX.Element {
  useTitle("Workflows");
  const may = useMay();
  const { data: workflows, error, refetch } = useQuery(workflowsQuery);
  const { data: survey } = useQuery(surveyQuery);
  // Runs may need workflows that only another process has.
  const elsewhere = [...new Set(survey?.workflows.map((it) => it.name))].filter(
    (name) => !workflows?.some((it) => it.name === name),
  );
  const about = (name: string) => summary(survey?.workflows.filter((it) => it.name === name) ?? []);
  return (
    <>
      <PageHead title="Workflows" aside={workflows && <>{workflows.length} registered here</>} />
      {error !== null && <Trouble error={error} retry={() => void refetch()} />}
      {workflows === undefined ? (
        <Skeleton rows={5} />
      ) : workflows.length === 0 && elsewhere.length === 0 ? (
        <FirstSteps />
      ) : (
        <div className="px-4 pb-8">
          <Card>
            <div
              className="relative overflow-x-auto"
              tabIndex={0}
              role="region"
              aria-label="Workflows"
            >
              <table className="w-full text-left">
                <thead className="text-dense text-dim">
                  <tr>
                    {["Workflow", "Versions", "Tags", "Open", "Failed", "p95", "Handler", ""].map(
                      (it) => (
                        <th key={it} className="px-3 py-2 font-normal">
                          {it || <span className="sr-only">Start</span>}
                        </th>
                      ),
                    )}
                  </tr>
                </thead>
                <tbody>
                  {workflows.map(({ name, versions }) => {
                    const { open, failed, p95 } = about(name);
                    const drift = driftOf(versions);
                    const events = [...new Set(versions.flatMap((it) => it.on_events))];
                    const tags = [...new Set(versions.flatMap((it) => it.tags))];
                    return (
                      <tr key={name} className="border-t border-line hover:bg-raised">
                        <td className="px-3 py-2 font-medium">
                          <Link to="/workflows/$name" params={{ name }} className="hover:underline">
                            {name}
                          </Link>
                          {events.length > 0 && (
                            <span className="mt-0.5 flex items-center gap-1 text-meta font-normal text-dim">
                              <Megaphone aria-hidden size={12} className="shrink-0" />
                              started by {events.join(", ")}
                            </span>
                          )}
                        </td>
                        <td className="px-3 py-2">
                          {versions.map((it) => `v${it.version}`).join(", ")}
                        </td>
                        <td className="px-3 py-2">
                          <span className="flex gap-1">
                            {tags.map((tag) => (
                              <Tag key={tag} name={tag} href />
                            ))}
                          </span>
                        </td>
                        <td className="px-3 py-2">
                          <Link
                            to="/runs"
                            search={{ q: `${token("workflow", name)} is:active` }}
                            className="hover:underline"
                          >
                            {count(drift?.live ?? open)}
                          </Link>
                          {drift !== undefined && drift.other > 0 && (
                            <Link
                              to="/workflows/$name"
                              params={{ name }}
                              className="mt-0.5 flex items-center gap-1 whitespace-nowrap text-meta text-dim hover:underline"
                            >
                              <GitCompareArrows
                                aria-hidden
                                size={12}
                                className="shrink-0 text-attention"
                              />
                              {count(drift.other)} of another flow
                            </Link>
                          )}
                        </td>
                        <td className="px-3 py-2">
                          <Link
                            to="/runs"
                            search={{ q: `${token("workflow", name)} is:broken` }}
                            className="hover:underline"
                          >
                            {count(failed)}
                          </Link>
                        </td>
                        <td className="px-3 py-2 font-mono text-dense">
                          {p95 === undefined ? "–" : duration(p95)}
                        </td>
                        <td className="px-3 py-2 text-dim">registered here</td>
                        <td className="px-3 py-1 text-right">
                          {may.act && (
                            <Link
                              to="/runs/new"
                              search={{ workflow: name }}
                              className="inline-flex h-7 items-center gap-1.5 rounded-control border border-line bg-page px-2.5 text-dense font-medium hover:bg-raised"
                            >
                              <Play aria-hidden size={13} /> Start
                              <span className="sr-only"> {name}</span>
                            </Link>
                          )}
                        </td>
                      </tr>
                    );
                  })}
                  {elsewhere.map((name) => (
                    <tr key={name} className="border-t border-line text-dim">
                      <td className="px-3 py-2">{name}</td>
                      <td className="px-3 py-2">–</td>
                      <td className="px-3 py-2" />
                      <td className="px-3 py-2">{count(about(name).open)}</td>
                      <td className="px-3 py-2">{count(about(name).failed)}</td>
                      <td className="px-3 py-2">–</td>
                      <td className="px-3 py-2">not in this process</td>
                      <td />
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Card>
          {survey && (
            <p className="mt-2 text-dense text-dim">
              Failures and times are of {survey.is_complete ? "all" : "the newest"}{" "}
              {plural(survey.runs, "run")}.
            </p>
          )}
        </div>
      )}
    </>
  );
}

/** Its runs that have not ended, where they could be counted. */
function driftOf(versions: WorkflowVersion[]) {
  const all = versions.flatMap((it) => it.runs ?? []);
  if (all.length < versions.length) return undefined;
  const sum = (of: (it: (typeof all)[number]) => number) => all.reduce((n, it) => n + of(it), 0);
  return { live: sum((it) => it.live), other: sum((it) => it.other_flow) };
}

function summary(all: WorkflowSurvey[]) {
  const sum = (words: string[]) =>
    all.reduce((total, it) => {
      const statuses = it.statuses as Record<string, number>;
      return total + words.reduce((part, word) => part + (statuses[word] ?? 0), 0);
    }, 0);
  const p95 = all.flatMap((it) => it.p95_ms ?? []);
  return {
    open: sum(OPEN),
    failed: sum(FAILED),
    p95: p95.length === 0 ? undefined : Math.max(...p95),
  };
}

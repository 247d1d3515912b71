/** Is anything broken, what is going on, what has been going on. */
import type { RunSummary, Survey } from "@durable/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { CircleCheckBig } from "lucide-react";
import { lazy, Suspense, useMemo } from "react";
import { failuresQuery, runsQuery, surveyQuery } from "../api/queries";
import { count, duration, plural } from "../lib/format";
import { parseSearch } from "../lib/search";
import { runLook, STATUSES, TONE_FILL } from "../lib/status";
import { Card, cx, LookIcon, PageHead, RunState, Skeleton, Trouble, useTitle } from "../ui/kit";
import { Ago, Took } from "../ui/time";
import { FirstSteps } from "./first-steps";
import { Why } from "./runs-row";

const Chart = lazy(() => import("../ui/chart"));

const WAITING = parseSearch("status:suspended").search;

export default function Overview(): React.JSX.Element {
  useTitle("Overview");
  const navigate = useNavigate();
  const { data: survey, error, isPending, refetch } = useQuery(surveyQuery);
  if (isPending) {
    return (
      <>
        <PageHead title="Overview" />
        <Skeleton rows={8} />
      </>
    );
  }
  if (error !== null && survey === undefined) {
    return (
      <>
        <PageHead title="Overview" />
        <Trouble error={error} retry={() => void refetch()} />
      </>
    );
  }
  if (survey.runs === 0) {
    return (
      <>
        <PageHead title="Overview" />
        <FirstSteps />
      </>
    );
  }
  return (
    <>
      <PageHead
        title="Overview"
        aside={
          survey.is_complete ? (
            <>all {plural(survey.runs, "run")}</>
          ) : (
            <>the newest {count(survey.runs)} runs</>
          )
        }
      />
      <div className="grid gap-4 px-4 pb-8 xl:grid-cols-2">
        <Attention survey={survey} />
        <Now survey={survey} />
        <Card
          title="Ended over time"
          aside={
            survey.ended[0] && <>each bar {duration(survey.ended[0].to - survey.ended[0].from)}</>
          }
          className="xl:col-span-2"
        >
          {survey.ended.length > 0 ? (
            <Suspense fallback={<div className="h-[240px]" />}>
              <Chart
                ended={survey.ended}
                onPick={(from, to) => void navigate({ to: "/runs", search: { from, to } })}
              />
            </Suspense>
          ) : (
            <p className="px-3 py-8 text-center text-dim">No run has ended yet.</p>
          )}
        </Card>
        <Waiting />
        <Latency survey={survey} />
      </div>
    </>
  );
}

/** So many runs that wait for somebody to continue them are listed. */
const MOST_HELD = 4;

const BROKEN = ["dead", "failed", "compensation_failed", "blocked"] as const;

function Attention({ survey }: { survey: Survey }) {
  const { data: failures } = useQuery(failuresQuery);
  const statuses = survey.statuses as Record<string, number>;
  const broken = BROKEN.filter((status) => (statuses[status] ?? 0) > 0);
  const groups = failures?.groups.slice(0, 5) ?? [];
  const held = useWaiting().filter((run) => run.display === "breakpoint");
  return (
    <Card title="Needs attention">
      {held.length > 0 && (
        <ul aria-label="At a breakpoint" className="border-b border-line last:border-b-0">
          {held.slice(0, MOST_HELD).map((run) => (
            <li key={run.id}>
              <Link
                to="/runs/$id"
                params={{ id: run.id }}
                className="flex items-center gap-3 px-3 py-1.5 hover:bg-raised"
              >
                <span className="shrink-0">
                  <RunState word={run.display} />
                </span>
                <span className="min-w-0 flex-1 truncate">{run.reason}</span>
                <span className="shrink-0 truncate font-mono text-dense text-dim">{run.id}</span>
              </Link>
            </li>
          ))}
          {held.length > MOST_HELD && (
            <li className="px-3 py-1.5 text-dense text-dim">
              and {held.length - MOST_HELD} more that wait to be continued
            </li>
          )}
        </ul>
      )}
      {broken.length === 0 && held.length > 0 ? null : broken.length === 0 ? (
        <p className="flex items-center gap-2 px-3 py-6 text-dim">
          <CircleCheckBig aria-hidden size={16} className="text-completed" />
          Nothing failed, is blocked or was given up.
        </p>
      ) : (
        <>
          <ul className="flex flex-wrap gap-2 p-3">
            {broken.map((status) => (
              <li key={status}>
                <Link
                  to="/runs"
                  search={{ q: `status:${status}` }}
                  className="flex items-center gap-2 rounded-card border border-line px-3 py-1.5 hover:bg-raised"
                >
                  <LookIcon look={runLook(status)} size={16} />
                  <span className="text-figure font-semibold">{count(statuses[status] ?? 0)}</span>
                  <span className="text-dim">{runLook(status).label.toLowerCase()}</span>
                </Link>
              </li>
            ))}
          </ul>
          {groups.length > 0 && (
            <ul className="border-t border-line">
              {groups.map((group) => (
                <li key={`${group.workflow} ${group.code} ${group.fingerprint}`}>
                  <Link
                    to="/runs/$id"
                    params={{ id: group.newest }}
                    className="flex items-center gap-3 px-3 py-1.5 hover:bg-raised"
                  >
                    <span className="w-10 shrink-0 text-right font-mono text-dense">
                      {count(group.runs)}×
                    </span>
                    <span className="min-w-0 flex-1 truncate" title={group.sample}>
                      {group.sample}
                    </span>
                    <span className="shrink-0 text-dense text-dim">{group.workflow}</span>
                    <span className="hidden shrink-0 text-dense text-dim sm:inline">
                      <Ago at={group.last_at} />
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          )}
          <p className="border-t border-line px-3 py-2 text-dense">
            <Link to="/errors" className="text-accent hover:underline">
              All errors by reason
            </Link>
          </p>
        </>
      )}
    </Card>
  );
}

function Now({ survey }: { survey: Survey }) {
  const statuses = survey.statuses as Record<string, number>;
  const shown = STATUSES.filter((status) => (statuses[status] ?? 0) > 0);
  return (
    <Card title="Now">
      <div aria-hidden className="flex h-3 gap-px overflow-hidden px-3 pt-3 box-content">
        {shown.map((status) => (
          <Link
            key={status}
            to="/runs"
            search={{ q: `status:${status}` }}
            tabIndex={-1}
            title={`${runLook(status).label}: ${statuses[status]}`}
            className={cx(
              "min-w-1.5 first:rounded-l-control last:rounded-r-control",
              TONE_FILL[runLook(status).tone],
            )}
            style={{ flexGrow: statuses[status], flexBasis: 0 }}
          />
        ))}
      </div>
      <ul className="grid grid-cols-2 gap-2 p-3 sm:grid-cols-3">
        {shown.map((status) => (
          <li key={status}>
            <Link
              to="/runs"
              search={{ q: `status:${status}` }}
              className="block rounded-card border border-line px-3 py-2 hover:bg-raised"
            >
              <span className="flex items-center gap-1.5 text-dense text-dim">
                <LookIcon look={runLook(status)} />
                {runLook(status).label}
              </span>
              <span className="block text-figure font-semibold">
                {count(statuses[status] ?? 0)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** The newest runs that wait. */
function useWaiting(): RunSummary[] {
  const { data } = useInfiniteQuery(runsQuery(WAITING));
  return useMemo(
    () => data?.pages.flatMap((page) => page.runs).filter((it) => it.status === "suspended") ?? [],
    [data],
  );
}

/** What waits longest, since the oldest waits are those that someone forgot. */
function Waiting() {
  const oldest = useWaiting()
    .toSorted((a, b) => (a.waiting_since ?? a.created_at) - (b.waiting_since ?? b.created_at))
    .slice(0, 8);
  return (
    <Card
      title="Waiting longest"
      aside={
        <Link to="/runs" search={{ q: "is:waiting" }} className="hover:text-ink hover:underline">
          all that wait
        </Link>
      }
    >
      {oldest.length === 0 ? (
        <p className="px-3 py-6 text-dim">Nothing waits.</p>
      ) : (
        <ul>
          {oldest.map((run) => (
            <li key={run.id} className="border-b border-line last:border-b-0">
              <Link
                to="/runs/$id"
                params={{ id: run.id }}
                className="flex items-center gap-3 px-3 py-1.5 hover:bg-raised"
              >
                <span className="w-36 shrink-0 truncate">
                  <RunState word={run.display} />
                </span>
                <span className="w-32 shrink-0 truncate font-mono text-dense">{run.id}</span>
                <span className="flex min-w-0 flex-1 text-dim">
                  <Why run={run} />
                </span>
                <span className="shrink-0 text-dense text-dim">
                  <Took from={run.waiting_since ?? run.created_at} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Latency({ survey }: { survey: Survey }) {
  return (
    <Card title="Start to finish" aside="of completed runs">
      <div
        className="relative overflow-x-auto"
        tabIndex={0}
        role="region"
        aria-label="Start to finish"
      >
        <table className="w-full text-left">
          <thead className="text-dense text-dim">
            <tr>
              <th className="px-3 py-1.5 font-normal">Workflow</th>
              <th className="px-3 py-1.5 text-right font-normal">runs</th>
              <th className="px-3 py-1.5 text-right font-normal">p50</th>
              <th className="px-3 py-1.5 text-right font-normal">p95</th>
            </tr>
          </thead>
          <tbody>
            {survey.workflows.map((it) => (
              <tr key={`${it.name} ${it.version}`} className="border-t border-line">
                <td className="px-3 py-1.5">
                  <Link
                    to="/workflows/$name"
                    params={{ name: it.name }}
                    className="hover:underline"
                  >
                    {it.name}
                  </Link>{" "}
                  <span className="text-meta text-dim">v{it.version}</span>
                </td>
                <td className="px-3 py-1.5 text-right">{count(total(it.statuses))}</td>
                <td className="px-3 py-1.5 text-right font-mono text-dense">
                  {it.p50_ms == null ? "–" : duration(it.p50_ms)}
                </td>
                <td className="px-3 py-1.5 text-right font-mono text-dense">
                  {it.p95_ms == null ? "–" : duration(it.p95_ms)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

const total = (statuses: object): number =>
  Object.values(statuses as Record<string, number>).reduce((sum, it) => sum + it, 0);

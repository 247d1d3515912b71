/** One workflow: its flow, its schemas, its runs. */
import type { WorkflowVersion } from "@durable/client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  Activity,
  Braces,
  GitCompareArrows,
  Megaphone,
  Play,
  SearchX,
  Workflow as WorkflowIcon,
} from "lucide-react";
import { lazy, Suspense, useMemo } from "react";
import { runsQuery, useMay, workflowsQuery } from "../api/queries";
import type { Outline } from "../lib/flow";
import { count, plural } from "../lib/format";
import { token } from "../lib/search";
import { workflowRoute } from "../router";
import { Json } from "../ui/json";
import { Empty, INPUT, PageHead, RunState, Skeleton, Tabs, Tag, useTitle } from "../ui/kit";
import { At, Took } from "../ui/time";
import { Why } from "./runs-row";

const FlowGraph = lazy(() => import("../ui/flow-graph"));

export default function WorkflowPage(): React.JSX.Element {
  const { name } = workflowRoute.useParams();
  const { tab = "flow", version } = workflowRoute.useSearch();
  const navigate = useNavigate({ from: "/workflows/$name" });
  const may = useMay();
  useTitle(name);
  const { data: workflows } = useQuery(workflowsQuery);
  const found = workflows?.find((it) => it.name === name);
  const picked = found?.versions.find((it) => it.version === version) ?? found?.versions.at(-1);
  if (workflows === undefined) {
    return (
      <>
        <PageHead title={name} />
        <Skeleton rows={8} />
      </>
    );
  }
  if (picked === undefined) {
    return (
      <>
        <h1 className="sr-only">{name}</h1>
        <Empty icon={SearchX} title="Not registered in this process">
          <p>
            No handler for <span className="font-mono">{name}</span> is here. Its runs can still be
            looked at.
          </p>
          <Link to="/runs" search={{ q: token("workflow", name) }} className="underline">
            Show its runs
          </Link>
        </Empty>
      </>
    );
  }
  const outline = picked.outline as unknown as Outline;
  return (
    <div className="flex h-full flex-col">
      <PageHead
        title={name}
        aside={
          <span className="flex flex-wrap items-center gap-2">
            v{picked.version}
            {picked.tags.map((tag) => (
              <Tag key={tag} name={tag} href />
            ))}
            {outline.file !== "" && (
              <span className="font-mono text-dense">
                {outline.file}:{outline.line}
              </span>
            )}
          </span>
        }
      >
        {found && found.versions.length > 1 && (
          <select
            aria-label="Version"
            className={`${INPUT} w-auto! h-7!`}
            value={picked.version}
            onChange={(event) =>
              void navigate({
                search: (now) => ({ ...now, version: Number(event.target.value) }),
                replace: true,
              })
            }
          >
            {found.versions.map((it) => (
              <option key={it.version} value={it.version}>
                version {it.version}
              </option>
            ))}
          </select>
        )}
        {may.act && (
          <Link
            to="/runs/new"
            search={{ workflow: name }}
            className="inline-flex h-7 items-center gap-1.5 rounded-control border border-accent bg-accent px-2.5 text-dense font-medium text-on-accent pointer-coarse:h-9"
          >
            <Play aria-hidden size={14} /> Start run
          </Link>
        )}
      </PageHead>
      <Standing version={picked} />
      <div className="border-b border-line px-4">
        <Tabs
          label="Views of the workflow"
          tabs={[
            { id: "flow", label: "Flow", icon: WorkflowIcon },
            { id: "runs", label: "Runs", icon: Activity },
            { id: "schema", label: "Schema", icon: Braces },
          ]}
          now={tab}
          onPick={(next) =>
            void navigate({ search: (now) => ({ ...now, tab: next }), replace: true })
          }
        />
      </div>
      <div
        role="tabpanel"
        id="tab-panel"
        aria-labelledby={`tab-${tab}`}
        className="flex min-h-0 flex-1 flex-col"
      >
        {tab === "flow" &&
          (outline.nodes.length === 0 ? (
            <Empty icon={WorkflowIcon} title="The flow is not known">
              It is read from the source of functions with <code>#[workflow]</code>. This one was
              registered without it, or asks for nothing.
            </Empty>
          ) : (
            <Suspense fallback={<Skeleton rows={8} height={56} />}>
              <div className="min-h-80 flex-1">
                <FlowGraph outline={outline} />
              </div>
            </Suspense>
          ))}
        {tab === "runs" && <Recent name={name} />}
        {tab === "schema" && <Schemas version={picked} />}
      </div>
    </div>
  );
}

/** The types of what goes in, comes out and arrives on the way. */
function Schemas({ version }: { version: WorkflowVersion }) {
  const schemas: [string, unknown][] = [
    ["Input", version.input_schema],
    ["Output", version.output_schema],
    ...version.signals.map((it): [string, unknown] => [`Signal ${it.name}`, it.schema]),
    ...version.updates.flatMap((it): [string, unknown][] => [
      [`Update ${it.name}`, it.args_schema],
      [`Answer to ${it.name}`, it.reply_schema],
    ]),
    ...version.events.map((it): [string, unknown] => [`Event ${it.name}`, it.schema]),
    ...version.published.map((it): [string, unknown] => [`Value ${it.name}`, it.schema]),
  ];
  return (
    <div className="grid content-start gap-6 overflow-y-auto p-4 xl:grid-cols-2">
      {schemas.map(([title, schema]) => (
        <section key={`${title} ${JSON.stringify(schema)}`} className="min-w-0">
          <h2 className="mb-2 text-h2 font-medium break-words">{title}</h2>
          {schema == null ? (
            <p className="text-dense text-dim">Its type is not written where it is waited for.</p>
          ) : (
            <Json value={schema} label={`${title} schema`} />
          )}
        </section>
      ))}
    </div>
  );
}

/** What starts it besides people, and how its runs compare with the code that is here. */
function Standing({ version: { on_events: events, runs } }: { version: WorkflowVersion }) {
  const other = runs?.other_flow ?? 0;
  if (events.length === 0 && other === 0) return null;
  return (
    <div className="flex flex-col gap-1 px-4 pb-3 text-dense">
      {events.length > 0 && (
        <p className="flex items-center gap-1.5">
          <Megaphone aria-hidden size={14} className="shrink-0 text-dim" />
          <span>
            Started by events:{" "}
            {events.map((it) => (
              <code key={it} className="mr-2 font-mono">
                {it}
              </code>
            ))}
          </span>
        </p>
      )}
      {runs != null && other > 0 && (
        <p className="flex items-start gap-1.5">
          <GitCompareArrows aria-hidden size={14} className="mt-0.5 shrink-0 text-attention" />
          <span>
            {count(other)} of {plural(runs.live, "run")} that have not ended began under another
            flow than the code here, and may diverge from it:{" "}
            {runs.examples.map((id) => (
              <Link
                key={id}
                to="/runs/$id"
                params={{ id }}
                className="mr-2 font-mono text-accent hover:underline"
              >
                {id}
              </Link>
            ))}
          </span>
        </p>
      )}
    </div>
  );
}

function Recent({ name }: { name: string }) {
  const search = useMemo(() => ({ statuses: [], workflow: name }), [name]);
  const { data } = useInfiniteQuery(runsQuery(search));
  const runs = data?.pages[0]?.runs ?? [];
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <ul>
        {runs.slice(0, 100).map((run) => (
          <li key={run.id} className="border-b border-line">
            <Link
              to="/runs/$id"
              params={{ id: run.id }}
              className="flex h-9 items-center gap-3 px-4 hover:bg-raised"
            >
              <span className="w-40 shrink-0 truncate">
                <RunState word={run.display} />
              </span>
              <span className="w-48 shrink-0 truncate font-mono text-dense">{run.id}</span>
              <span className="flex min-w-0 flex-1 text-dim">
                <Why run={run} />
              </span>
              <span className="hidden shrink-0 text-dense text-dim sm:inline">
                <At at={run.created_at} />
              </span>
              <span className="hidden w-20 shrink-0 text-right text-dense text-dim sm:inline">
                <Took from={run.created_at} to={run.finished_at} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="px-4 py-3">
        <Link
          to="/runs"
          search={{ q: token("workflow", name) }}
          className="text-accent hover:underline"
        >
          {runs.length === 0 ? "No run of this workflow yet." : "All runs of this workflow"}
        </Link>
      </p>
    </div>
  );
}

/** One run: where it stands, why, how it came there, and what can be done about it. */
import { type Checkpoint, DurableError, type RunDetail, type RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  ArrowDownUp,
  ChartGantt,
  CircleAlert,
  ClipboardCheck,
  GitFork,
  History,
  Logs,
  SearchX,
  Workflow,
} from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { explainQuery, runQuery, useMay } from "../api/queries";
import { type Ask, asks, eventsOf, openUpdates } from "../lib/allowed";
import { plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { hasFailed } from "../lib/outline";
import { canRetry, runLook } from "../lib/status";
import { useAsOf, useShown } from "../lib/under-way";
import { useFollow } from "../live/live";
import { RUN_VIEWS, type RunView, runRoute } from "../router";
import { CancelDialog, EventDialog, RetryDialog, SignalDialog } from "../ui/actions";
import { Empty, PageHead, Skeleton, Stale, Tabs, Trouble, useTitle } from "../ui/kit";
import {
  ContinueDialog,
  DeleteDialog,
  ForceFailDialog,
  ForkDialog,
  PauseDialog,
  ResumeDialog,
  RetryInputDialog,
  UpdateDialog,
} from "../ui/run-actions";
import { AuditView } from "./run-audit";
import { ChildrenView } from "./run-children";
import { Head } from "./run-head";
import { HistoryView } from "./run-history";
import { Inspector } from "./run-inspector";
import { IoView } from "./run-io";
import { LogsView } from "./run-logs";
import { Timeline } from "./run-timeline";

const Graph = lazy(() => import("./run-graph"));

const VIEWS = [
  { id: "timeline", label: "Timeline", icon: ChartGantt },
  { id: "graph", label: "Graph", icon: Workflow },
  { id: "history", label: "History", icon: History },
  { id: "logs", label: "Logs", icon: Logs },
  { id: "io", label: "Input/Output", icon: ArrowDownUp },
  { id: "children", label: "Children", icon: GitFork },
  { id: "audit", label: "Audit", icon: ClipboardCheck },
] as const;

export default function RunPage(): React.JSX.Element {
  const { id } = runRoute.useParams();
  const { data, error, refetch, dataUpdatedAt } = useQuery(runQuery(id));
  useFollow(id, data !== undefined);
  const look = data && runLook(data.run.display);
  useTitle(data && look ? `${look.label}: ${data.run.workflow} ${id}` : id);
  if (data !== undefined) {
    return (
      <div className="flex h-full min-h-0 flex-col">
        {error !== null && <Stale error={error} at={dataUpdatedAt} retry={() => void refetch()} />}
        <Loaded key={id} detail={data} readAt={dataUpdatedAt} />
      </div>
    );
  }
  if (error instanceof DurableError && error.status === 404) {
    return (
      <>
        <h1 className="sr-only">No such run</h1>
        <Empty icon={SearchX} title="No such run here">
          <p>
            <span className="font-mono">{id}</span> is not in this store. It may never have been
            started, or its id may be cut off.
          </p>
          <p className="mt-3">
            <Link to="/runs" search={{ q: id.slice(0, 8) }} className="underline">
              Look for runs whose id begins so
            </Link>
          </p>
        </Empty>
      </>
    );
  }
  if (error !== null) {
    return (
      <>
        <PageHead title={id} />
        <Trouble error={error} retry={() => void refetch()} />
      </>
    );
  }
  return (
    <>
      <PageHead title={id} />
      <Skeleton rows={12} height={28} />
    </>
  );
}

function Loaded({ detail, readAt }: { detail: RunDetail; readAt: number }) {
  const { run, timeline } = detail;
  const asOf = useAsOf(readAt);
  const shown = useShown(detail, asOf);
  const { view = "timeline", step } = runRoute.useSearch();
  const navigate = useNavigate({ from: "/runs/$id" });
  const may = useMay();
  const [asked, setAsked] = useState<Ask>();
  const can = useMemo(() => asks(run, timeline, may), [run, timeline, may]);
  const ask = useCallback(
    (...wanted: Ask[]) => {
      const found = wanted.find((it) => can.has(it));
      if (found !== undefined) setAsked(found);
    },
    [can],
  );
  const pickView = useCallback(
    (next: RunView) =>
      void navigate({
        search: (now) => ({ ...now, view: next === "timeline" ? undefined : next }),
        replace: true,
      }),
    [navigate],
  );
  const pickStep = useCallback(
    (next: number | undefined) =>
      void navigate({ search: (now) => ({ ...now, step: next }), replace: true }),
    [navigate],
  );
  const waits = useMemo(
    () =>
      run.is_terminal
        ? []
        : timeline.filter((it) => it.kind === "signal" && it.status === "waiting"),
    [run.is_terminal, timeline],
  );
  const tokens = useMemo(() => waits.map((it) => it.name), [waits]);
  const picked = step === undefined ? undefined : shown.timeline.find((it) => it.seq === step);
  const keys = useMemo(() => {
    const moveStep = (by: number) => {
      const steps = shown.timeline;
      const at = steps.findIndex((it) => it.seq === step);
      const next = steps[at === -1 ? (by > 0 ? 0 : steps.length - 1) : at + by];
      if (next) pickStep(next.seq);
    };
    const moveFailed = (by: number) => {
      const failed = timeline.filter(hasFailed).map((it) => it.seq);
      const at = step ?? (by > 0 ? -1 : Number.POSITIVE_INFINITY);
      const next = by > 0 ? failed.find((it) => it > at) : failed.findLast((it) => it < at);
      if (next !== undefined) pickStep(next);
    };
    return {
      ...Object.fromEntries(RUN_VIEWS.map((it, index) => [`${index + 1}`, () => pickView(it)])),
      j: () => moveStep(1),
      k: () => moveStep(-1),
      "]": () => moveFailed(1),
      "[": () => moveFailed(-1),
      r: () => ask("retry"),
      c: () => ask("cancel"),
      s: () => ask("signal"),
      u: () => ask("update"),
      p: () => ask("pause", "resume"),
      Escape: () => pickStep(undefined),
    };
  }, [shown.timeline, timeline, step, ask, pickStep, pickView]);
  useKeys(keys);
  const close = () => setAsked(undefined);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <Head run={run} can={can} tokens={tokens} deadLetter={detail.dead_letter} onAsk={setAsked} />
      <Spoken run={run} />
      <Banner run={run} />
      <div className="flex items-center justify-between gap-4 border-b border-line px-4">
        <Tabs label="Views of the run" tabs={[...VIEWS]} now={view} onPick={pickView} />
        <span className="hidden whitespace-nowrap text-dense text-dim lg:inline">
          {plural(detail.operations, "operation")}
          {detail.timeline_next != null && `, the first ${timeline.length} shown`}
        </span>
      </div>
      <div className="flex min-h-0 flex-1 flex-col lg:flex-row">
        <div
          role="tabpanel"
          id="tab-panel"
          aria-labelledby={`tab-${view}`}
          className="flex min-h-0 min-w-0 flex-1 flex-col"
        >
          {(view === "timeline" || view === "graph") && <Elsewhere detail={detail} />}
          {view === "timeline" && (
            <Timeline detail={shown} asOf={asOf} picked={step} onPick={pickStep} />
          )}
          {view === "graph" && (
            <Suspense fallback={<Skeleton rows={8} height={56} />}>
              <Graph detail={shown} asOf={asOf} picked={step} onPick={pickStep} />
            </Suspense>
          )}
          {view === "history" && <HistoryView detail={detail} picked={step} onPick={pickStep} />}
          {view === "logs" && <LogsView detail={detail} onPick={pickStep} />}
          {view === "io" && <IoView run={run} timeline={timeline} />}
          {view === "children" && <ChildrenView run={run} />}
          {view === "audit" && <AuditView run={run} />}
        </div>
        {picked && (
          <Inspector run={run} step={picked} asOf={asOf} onClose={() => pickStep(undefined)} />
        )}
      </div>
      {asked !== undefined && (
        <Asked ask={asked} run={run} timeline={timeline} waits={waits} onClose={close} />
      )}
    </div>
  );
}

/** Where the run executes, if whoever answers here cannot see its steps. */
function Elsewhere({ detail: { run, under_way } }: { detail: RunDetail }) {
  if (run.display !== "running" || under_way.instance == null || under_way.is_here) return null;
  return (
    <p role="note" className="border-b border-line bg-raised px-4 py-1.5 text-dense text-dim">
      Executing on{" "}
      <Link to="/workers" className="font-mono text-ink underline" title={under_way.instance}>
        {under_way.instance.slice(0, 8)}
      </Link>
      . Steps under way are shown by that instance; here they appear once they have ended.
    </p>
  );
}

/** No more often is said how the run stands. */
const SAY_MS = 5_000;

/** Says to those who do not see it that the run stands differently. */
function Spoken({ run }: { run: RunSummary }) {
  const { label } = runLook(run.display);
  const [said, setSaid] = useState(label);
  const last = useRef(0);
  useEffect(() => {
    if (label === said) return;
    const wait = Math.max(0, last.current + SAY_MS - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      setSaid(label);
    }, wait);
    return () => clearTimeout(timer);
  }, [label, said]);
  return (
    <p role="status" aria-live="polite" className="sr-only">
      {run.workflow}: {said}
    </p>
  );
}

/** The dialog of an action. */
function Asked({
  ask,
  run,
  timeline,
  waits,
  onClose,
}: {
  ask: Ask;
  run: RunSummary;
  timeline: Checkpoint[];
  /** The signals that it waits for. */
  waits: Checkpoint[];
  onClose: () => void;
}) {
  switch (ask) {
    case "continue":
      return <ContinueDialog run={run} onClose={onClose} />;
    case "signal":
      return <SignalDialog run={run} waits={waits} onClose={onClose} />;
    case "update":
      return <UpdateDialog run={run} waits={openUpdates(timeline)} onClose={onClose} />;
    case "event":
      return <EventDialog names={eventsOf(timeline)} onClose={onClose} />;
    case "retry":
      return <RetryDialog run={run} onClose={onClose} />;
    case "retry_with_input":
      return <RetryInputDialog run={run} onClose={onClose} />;
    case "pause":
      return <PauseDialog run={run} onClose={onClose} />;
    case "resume":
      return <ResumeDialog run={run} onClose={onClose} />;
    case "cancel":
      return <CancelDialog run={run} onClose={onClose} />;
    case "fork":
      return <ForkDialog run={run} onClose={onClose} />;
    case "force_fail":
      return <ForceFailDialog run={run} onClose={onClose} />;
    case "delete":
      return <DeleteDialog run={run} onClose={onClose} />;
  }
}

/** Displays that one word does not explain. */
const WITH_WORDS = new Set(["retrying", "no_handler", "paused", "breakpoint"]);

/** Why a run does not get on, and what would move it. */
function Banner({ run }: { run: RunSummary }) {
  const needsWords = canRetry(run.status) || WITH_WORDS.has(run.display);
  const { data } = useQuery({
    ...explainQuery(run.id, run.rev),
    enabled: needsWords,
  });
  if (!needsWords || run.status === "cancelled") return null;
  return (
    <div role="note" className="flex gap-2.5 border-b border-line bg-raised px-4 py-2">
      <CircleAlert aria-hidden size={16} className="mt-0.5 shrink-0 text-attention" />
      <div className="min-w-0">
        <p className="break-words">{data?.reason ?? run.reason}</p>
        {run.display === "breakpoint" ? (
          <p className="text-dense text-dim">It goes on once somebody continues it.</p>
        ) : (
          data &&
          data.wakes !== "" && (
            <p className="text-dense text-dim">What moves it on: {data.wakes}.</p>
          )
        )}
      </div>
    </div>
  );
}

/** One operation: what it is, its attempts, what went in and what came out. */
import type { Checkpoint, Failure, RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { GitBranch, Megaphone, MessageSquareText, Radio, StepForward, X } from "lucide-react";
import { useMemo, useState } from "react";
import { payloadHref } from "../api/client";
import { stepQuery, useMay } from "../api/queries";
import { asks, canSkip, runsOf } from "../lib/allowed";
import { clock, duration } from "../lib/format";
import { isOpen, isRunning, title } from "../lib/outline";
import { queueOf } from "../lib/queue";
import { useZone } from "../lib/settings";
import { isCutOff, kindIcon } from "../lib/status";
import { isStored, type Shown } from "../lib/under-way";
import { EventDialog, SignalDialog } from "../ui/actions";
import { FastLink, runHref } from "../ui/fast-link";
import { Json } from "../ui/json";
import { Button, cx, IconButton, Skeleton, StepState, Trouble } from "../ui/kit";
import { ContinueDialog, ForkDialog, SkipDialog, UpdateDialog } from "../ui/run-actions";
import { At, Took, Until } from "../ui/time";

export function Inspector({
  run,
  step,
  asOf,
  onClose,
}: {
  run: RunSummary;
  step: Shown;
  /** From when what is known of a step under way is, unless that is now. */
  asOf: number | undefined;
  onClose: () => void;
}) {
  const waits = isOpen(step) && !run.is_terminal;
  const Kind = kindIcon(step.kind);
  const queue = queueOf(step);
  return (
    <aside
      aria-label={`Operation ${step.seq}`}
      className="flex max-h-[60%] w-full shrink-0 flex-col overflow-y-auto border-t border-line bg-page lg:max-h-none lg:w-[22rem] lg:border-t-0 lg:border-l xl:w-[26rem]"
    >
      <header className="sticky top-0 z-10 flex items-start gap-2 border-b border-line bg-page px-4 py-2.5">
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-h2 font-semibold">{title(step)}</h2>
          <p className="flex items-center gap-2">
            <StepState
              kind={step.kind}
              status={waits || !isOpen(step) ? step.status : "abandoned"}
            />
            {step.attempt > 1 && <span className="text-dim">on attempt {step.attempt}</span>}
          </p>
        </div>
        <IconButton icon={X} label="Close the operation" onClick={onClose} />
      </header>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 px-4 py-3 text-dense">
        <Fact name="position">{step.seq}</Fact>
        <Fact name="kind">
          <span className="inline-flex items-center gap-1.5">
            {Kind && <Kind aria-hidden size={13} className="text-dim" />}
            {step.kind.replaceAll("_", " ")}
          </span>
        </Fact>
        {runsOf(step).map((id) => (
          <Fact key={id} name="run">
            <FastLink href={runHref(id)} className="font-mono break-all underline">
              {id}
            </FastLink>
          </Fact>
        ))}
        <Fact name="began">
          <At at={step.started_at} />
        </Fact>
        <Fact name={waits ? "for" : "took"}>
          {step.finished_at == null && !waits ? (
            "it never ended"
          ) : (
            <Took
              from={step.started_at}
              to={step.finished_at ?? (isRunning(step) ? asOf : undefined)}
            />
          )}
        </Fact>
        {queue?.queuedMs !== undefined && <Fact name="queued">{duration(queue.queuedMs)}</Fact>}
        {queue?.processingMs !== undefined && (
          <Fact name="processing">{duration(queue.processingMs)}</Fact>
        )}
        {step.began_at !== undefined && step.attempt > 1 && (
          <Fact name="this attempt began">
            <At at={step.began_at} />
          </Fact>
        )}
        {isRunning(step) && asOf !== undefined && (
          <Fact name="last seen">
            <At at={asOf} />
          </Fact>
        )}
        {step.wake_at != null && waits && (
          <Fact name={isCutOff(step.kind) ? "times out" : "moves on"}>
            <Until at={step.wake_at} />
          </Fact>
        )}
        {step.attempt > 0 && <Fact name="attempts">{step.attempt}</Fact>}
        {step.ord != null && <Fact name="handed over as">number {step.ord}</Fact>}
        {step.site != null && (
          <Fact name="source">
            <span className="font-mono break-all">{step.site.replace(/^\S+ /, "")}</span>
          </Fact>
        )}
      </dl>
      <Actions run={run} step={step} />
      <div className="flex flex-col gap-4 px-4 pb-6">
        <Attempts step={step} />
        {isRunning(step) && (
          <p className="text-dim">
            What it reports and returns is stored once this attempt has ended.
          </p>
        )}
        {isStored(step) && <Payloads run={run} step={step} />}
      </div>
    </aside>
  );
}

/** What can be done about this operation alone. */
function Actions({ run, step }: { run: RunSummary; step: Checkpoint }) {
  const may = useMay();
  const [asked, setAsked] = useState<
    "skip" | "fork" | "continue" | "signal" | "event" | "update"
  >();
  const close = () => setAsked(undefined);
  const waits = isOpen(step) ? asks(run, [step], may) : new Set();
  const mayFork = may.act && may.offers("fork");
  const maySkip = canSkip(run, step, may);
  if (!mayFork && !maySkip && waits.size === 0) return null;
  return (
    <div className="flex flex-wrap gap-2 px-4 pb-3">
      {waits.has("continue") && (
        <Button icon={StepForward} look="primary" onClick={() => setAsked("continue")}>
          Continue…
        </Button>
      )}
      {step.kind === "signal" && waits.has("signal") && (
        <Button icon={Radio} look="primary" onClick={() => setAsked("signal")}>
          Send it…
        </Button>
      )}
      {waits.has("event") && (
        <Button icon={Megaphone} look="primary" onClick={() => setAsked("event")}>
          Publish event…
        </Button>
      )}
      {waits.has("update") && (
        <Button icon={MessageSquareText} look="primary" onClick={() => setAsked("update")}>
          Send update…
        </Button>
      )}
      {mayFork && (
        <Button icon={GitBranch} onClick={() => setAsked("fork")}>
          Fork from here…
        </Button>
      )}
      {maySkip && (
        <Button icon={StepForward} look="danger" onClick={() => setAsked("skip")}>
          Skip…
        </Button>
      )}
      {asked === "continue" && <ContinueDialog run={run} onClose={close} />}
      {asked === "signal" && <SignalDialog run={run} waits={[step]} onClose={close} />}
      {asked === "event" && <EventDialog names={[step.name]} onClose={close} />}
      {asked === "update" && <UpdateDialog run={run} waits={[step]} onClose={close} />}
      {asked === "fork" && <ForkDialog run={run} from={step.seq} onClose={close} />}
      {asked === "skip" && <SkipDialog run={run} step={step} onClose={close} />}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-dim">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

/** An error with what lies behind it. */
export function FailureText({ failure }: { failure: Failure }) {
  const chain: Failure[] = [];
  let next: Failure | null | undefined = failure;
  while (next != null) {
    chain.push(next);
    next = next.cause as Failure | null | undefined;
  }
  return (
    <div className="rounded-card border border-line border-l-2 border-l-failed bg-raised px-3 py-2">
      {chain.map((it, depth) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a chain does not change its order
        <div key={depth} className={cx(depth > 0 && "mt-1.5 border-t border-line pt-1.5")}>
          <p className="break-words whitespace-pre-wrap">
            {depth > 0 && <span className="text-dim">because </span>}
            {it.message}
          </p>
          <p className="text-meta text-dim">
            {it.code != null && <span className="font-mono">{it.code} · </span>}
            {it.retryable ? "trying again may help" : "trying again does not help"}
          </p>
          {it.details != null && (
            <div className="mt-1.5">
              <Json value={it.details} label="details" />
            </div>
          )}
        </div>
      ))}
    </div>
  );
}

/** Attempts one by one, with what each reported. */
function Attempts({ step }: { step: Checkpoint }) {
  const zone = useZone();
  const attempts = useMemo(() => {
    const count = Math.max(step.attempt, ...step.events.map((event) => event.attempt), 0);
    return Array.from({ length: count }, (_, at) => ({
      n: at + 1,
      events: step.events.filter((event) => event.attempt === at + 1),
    }));
  }, [step]);
  const [n, setN] = useState<number>();
  const shown = attempts[(n ?? attempts.length) - 1];
  const isLast = shown?.n === attempts.length;
  if (step.error == null && attempts.every((it) => it.events.length === 0)) return null;
  return (
    <section aria-label="Attempts">
      {attempts.length > 1 && (
        <div role="group" aria-label="Attempt" className="mb-2 flex gap-1 overflow-x-auto">
          {attempts.map((it) => (
            <button
              key={it.n}
              type="button"
              aria-pressed={it === shown}
              onClick={() => setN(it.n)}
              className={cx(
                "h-7 rounded-control border px-2 text-dense",
                it === shown
                  ? "border-accent bg-accent-soft font-medium"
                  : "border-line hover:bg-raised",
              )}
            >
              try {it.n}
            </button>
          ))}
        </div>
      )}
      {isLast && step.error != null && <FailureText failure={step.error} />}
      {shown && !isLast && (
        <p className="text-dim">
          This attempt failed and was tried again. Only the reason of the newest failure is kept.
        </p>
      )}
      {shown && shown.events.length > 0 && (
        <ol
          aria-label="What it reported"
          className="mt-2 flex flex-col gap-0.5 font-mono text-dense"
        >
          {shown.events.map((event, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: reports are only ever added
            <li key={index} className="flex gap-2">
              <span className="shrink-0 text-dim">{clock(event.at, zone, event.at)}</span>
              <span className="min-w-0 break-words">
                {event.type === "log" ? (
                  <>
                    <span className="text-dim">{event.level} </span>
                    {event.message}
                  </>
                ) : event.type === "taken" ? (
                  <span className="text-dim">a worker has taken it</span>
                ) : event.type === "run" ? (
                  <>
                    <span className="text-dim">run </span>
                    {event.run_id}
                  </>
                ) : (
                  <>
                    {event.name} <span className="text-dim">{event.status}</span>
                  </>
                )}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Read on demand: a timeline brings no payloads along. */
function Payloads({ run, step }: { run: RunSummary; step: Checkpoint }) {
  const may = useMay();
  const { data, error, isPending, refetch } = useQuery(stepQuery(run.id, step.seq, step.rev));
  if (error !== null) return <Trouble error={error} retry={() => void refetch()} />;
  if (isPending) return <Skeleton rows={2} />;
  const isNone = data.input === undefined && data.result === undefined;
  if (!may.payloads) return <p className="text-dim">You may not see payloads.</p>;
  return (
    <>
      {data.input != null && (
        <section>
          <h3 className="mb-1.5 text-dense font-medium">Input</h3>
          <Json value={data.input} label="input" file={payloadHref(run.id, step.seq)} />
        </section>
      )}
      {data.result !== undefined && data.status === "completed" && data.kind !== "breakpoint" && (
        <section>
          <h3 className="mb-1.5 text-dense font-medium">Result</h3>
          <Json value={data.result} label="result" file={payloadHref(run.id, step.seq)} />
        </section>
      )}
      {isNone && <p className="text-dim">It has no result yet.</p>}
    </>
  );
}

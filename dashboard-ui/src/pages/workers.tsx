/** Who executes runs: each instance, whether it lives, what it can do and how much it holds. */
import type { Worker } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleAlert, CircleCheck, CirclePause, CircleX, ServerOff } from "lucide-react";
import { workersQuery } from "../api/queries";
import { count, plural } from "../lib/format";
import { useNow } from "../lib/now";
import { type Health, healthOf, mixed, workflowOf } from "../lib/workers";
import { Card, CopyButton, cx, Empty, PageHead, Skeleton, Trouble, useTitle } from "../ui/kit";
import { Ago, At, Until } from "../ui/time";

export default function Workers(): React.JSX.Element {
  useTitle("Workers");
  const { data, error, isPending, refetch, dataUpdatedAt } = useQuery(workersQuery);
  const workers = data?.workers ?? [];
  const alive = workers.filter((it) => it.is_alive).length;
  return (
    <>
      <PageHead title="Workers" aside={data && `${alive} alive`} />
      {error !== null && data === undefined ? (
        <Trouble error={error} retry={() => void refetch()} />
      ) : isPending ? (
        <Skeleton rows={4} height={64} />
      ) : workers.length === 0 ? (
        <Nobody />
      ) : (
        <div className="flex flex-col gap-3 px-4 pb-8">
          {mixed(workers) && (
            <p
              role="note"
              className="flex gap-2 rounded-card border border-line bg-raised px-3 py-2"
            >
              <CircleAlert aria-hidden size={16} className="mt-0.5 shrink-0 text-attention" />
              The instances run different builds, as they do while a deploy is under way. A run goes
              on where its version of the workflow is registered.
            </p>
          )}
          {workers.map((worker) => (
            <Instance key={worker.id} worker={worker} skew={(data?.now ?? 0) - dataUpdatedAt} />
          ))}
        </div>
      )}
    </>
  );
}

/** Nobody executes anything: says what to do about it. */
function Nobody() {
  return (
    <Empty icon={ServerOff} title="No instance executes runs">
      <p>
        Runs are taken and kept, and go on once an instance drives. A process drives unless it was
        built with <code className="font-mono text-dense">.drive(false)</code>:
      </p>
      <pre className="mt-3 overflow-x-auto rounded-card bg-raised p-3 text-left font-mono text-dense">
        {`Durable::builder()
    .store(store)
    .register(checkout)
    .build()
    .await?`}
      </pre>
    </Empty>
  );
}

const HEALTH: Record<Health, { label: string; icon: typeof CircleCheck; tone: string }> = {
  alive: { label: "Alive", icon: CircleCheck, tone: "text-completed" },
  silent: { label: "Silent", icon: CirclePause, tone: "text-attention" },
  lost: { label: "Lost", icon: CircleX, tone: "text-failed" },
};

function Instance({ worker, skew }: { worker: Worker; skew: number }) {
  // Leases are good by the store's clock.
  const now = useNow() + skew;
  const health = healthOf(worker, now);
  const { label, icon: Icon, tone } = HEALTH[health];
  const { most, resident, parked } = worker;
  return (
    <Card className={cx(health !== "alive" && "bg-raised")}>
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 pt-3">
        <h2 className="flex min-w-0 items-center gap-2 text-h2 font-medium">
          <Icon aria-hidden size={15} className={cx("shrink-0", tone)} />
          <span>{label}</span>
          <span className="truncate">{worker.host ?? "an instance that said nothing yet"}</span>
          {worker.process != null && (
            <span className="font-mono text-dense text-dim">process {worker.process}</span>
          )}
        </h2>
        {worker.is_this && (
          <span className="rounded-control bg-raised px-1.5 text-meta text-dim">answers you</span>
        )}
        <span className="ml-auto inline-flex min-w-0 items-center font-mono text-dense text-dim">
          <span className="truncate">{worker.id}</span>
          <CopyButton text={worker.id} label="Copy the id" />
        </span>
      </header>
      <div className="grid gap-x-8 gap-y-3 px-4 py-3 md:grid-cols-3">
        <dl className="grid grid-cols-[auto_1fr] content-start gap-x-4 gap-y-1 text-dense">
          <Fact name="heartbeat">
            {worker.reported_at == null ? "none yet" : <Ago at={worker.reported_at - skew} />}
          </Fact>
          <Fact name="lease">
            {worker.is_alive ? (
              <>
                ends <Until at={worker.lease_until - skew} />, unless renewed
              </>
            ) : (
              "has run out; the others take its runs over"
            )}
          </Fact>
          {worker.started_at != null && (
            <Fact name="started">
              <At at={worker.started_at - skew} />
            </Fact>
          )}
          {worker.version != null && (
            <Fact name="version">
              {worker.version} <span className="font-mono text-dim">{worker.build}</span>
            </Fact>
          )}
        </dl>
        <div className="text-dense">
          <p>
            owns {plural(worker.runs, "run")}
            {resident != null && most != null && (
              <>
                , {count(resident)} of at most {count(most)} in memory
                {parked != null && resident > 0 && <>, {count(parked)} of them only wait</>}
              </>
            )}
          </p>
          {resident != null && most != null && most > 0 && (
            <div aria-hidden className="mt-2 h-1.5 overflow-hidden rounded-full bg-sunken">
              <div
                className="h-full bg-running"
                style={{ width: `${Math.min(100, (resident / most) * 100)}%` }}
              />
            </div>
          )}
        </div>
        <div className="flex flex-col gap-2 text-dense">
          <Names name="workflows" all={worker.workflows} link />
          <Names name="steps" all={worker.steps} />
        </div>
      </div>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-dim">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}

/** What an instance has registered. */
function Names({ name, all, link = false }: { name: string; all: string[]; link?: boolean }) {
  if (all.length === 0) return null;
  return (
    <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
      <span className="text-dim">{name}</span>
      {all.map((it) => {
        if (!link) {
          return (
            <span key={it} className="font-mono">
              {it}
            </span>
          );
        }
        const { workflow, version } = workflowOf(it);
        return (
          <Link
            key={it}
            to="/workflows/$name"
            params={{ name: workflow }}
            className="inline-flex min-h-6 items-center gap-1 hover:underline"
          >
            {workflow} <span className="text-dim">v{version}</span>
          </Link>
        );
      })}
    </p>
  );
}

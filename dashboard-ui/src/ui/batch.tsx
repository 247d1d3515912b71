/** Actions on many runs: counted first, then done in the background. */
import type { Batch, BatchRequest } from "@durable/client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Ban, CirclePlay, type LucideIcon, Pause, RotateCw } from "lucide-react";
import { useEffect, useState } from "react";
import { durable, queryClient } from "../api/client";
import { filterOf } from "../api/queries";
import { count, plural } from "../lib/format";
import type { Search } from "../lib/search";
import { ReasonField } from "./actions";
import { Button, Dialog, Field, INPUT, Trouble } from "./kit";
import { toastError } from "./toast";

/** Above so many runs their number must be typed. */
const TYPED_ABOVE = 100;

/** What can be done to many runs at once. */
export type BatchAction = "retry" | "cancel" | "pause" | "resume";

/** How each is spoken of, and which runs it takes. */
export const BATCHES: Record<
  BatchAction,
  { verb: string; done: string; icon: LucideIcon; takes: string }
> = {
  retry: {
    verb: "Retry",
    done: "retried",
    icon: RotateCw,
    takes: "failed, cancelled, dead or blocked",
  },
  cancel: {
    verb: "Cancel",
    done: "cancelled",
    icon: Ban,
    takes: "pending, running, waiting, paused or blocked",
  },
  pause: { verb: "Pause", done: "paused", icon: Pause, takes: "pending, running or waiting" },
  resume: { verb: "Resume", done: "resumed", icon: CirclePlay, takes: "paused" },
};

const words = (action: string) => BATCHES[action as BatchAction] ?? BATCHES.cancel;

/** Which runs are asked for: those that were selected, else all that match. */
export function batchRequest(
  action: BatchAction,
  ids: string[] | undefined,
  search: Search,
): BatchRequest {
  return { action, ...(ids === undefined ? filterOf(search) : { ids }) };
}

/** Many runs at once: counted by the server first, then done in the background. */
export function BatchDialog({
  action,
  ids,
  search,
  onBegin,
  onClose,
}: {
  action: BatchAction;
  /** The runs that were selected; without them, all that match. */
  ids?: string[];
  search: Search;
  onBegin: (batch: Batch) => void;
  onClose: () => void;
}) {
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [compensate, setCompensate] = useState(false);
  // Counted once: what is done is what was counted, though spans of time go on.
  const [which] = useState(() => batchRequest(action, ids, search));
  const asked = action === "cancel" ? { ...which, compensate } : which;
  const counted = useQuery({
    queryKey: ["dry-run", which],
    queryFn: () => durable.createBatch({ ...which, dry_run: true }),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const begin = useMutation({
    mutationFn: () => durable.createBatch({ ...asked, reason: reason.trim() || undefined }),
    onSuccess: (batch) => {
      onBegin(batch);
      onClose();
    },
  });
  const plan = counted.data;
  const eligible = plan?.eligible ?? 0;
  const mustType = eligible > TYPED_ABOVE;
  const { verb, done, icon, takes } = words(action);
  return (
    <Dialog title={`${verb} many runs`} onClose={onClose}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          begin.mutate();
        }}
      >
        {counted.isPending && <p className="text-dim">Counting what would be done…</p>}
        {counted.error !== null && <Trouble error={counted.error} />}
        {plan && (
          <p>
            {plan.matching === 1 ? "1 run matches" : `${count(plan.matching)} runs match`}
            {!plan.is_complete && " so far; a batch takes no more at once"}.{" "}
            <strong className="font-semibold">
              {eligible} can be {done}
            </strong>
            {plan.matching > eligible &&
              `; ${count(plan.matching - eligible)} cannot, since only ${takes} runs can be`}
            .
          </p>
        )}
        {action === "cancel" && (
          <label className="flex items-start gap-2.5">
            <input
              type="checkbox"
              className="mt-1"
              checked={compensate}
              onChange={(event) => setCompensate(event.target.checked)}
            />
            <span>
              Undo what each of them has done first
              <span className="block text-dense text-dim">
                {compensate
                  ? "Completed steps that say how they are undone are undone, the last one first. Others stay done."
                  : "What they have done is not undone. Steps that are under way are not waited for."}
              </span>
            </span>
          </label>
        )}
        {mustType && (
          <Field label={`Type ${eligible} to go on`}>
            {(id) => (
              <input
                id={id}
                inputMode="numeric"
                className={INPUT}
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
              />
            )}
          </Field>
        )}
        <ReasonField value={reason} onChange={setReason} />
        {begin.error !== null && <Trouble error={begin.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Leave them</Button>
          <Button
            type="submit"
            look="primary"
            icon={icon}
            busy={begin.isPending}
            disabled={eligible === 0 || (mustType && typed !== String(eligible))}
          >
            {compensate ? "Undo and cancel" : verb} {plural(eligible, "run")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A batch that is under way, in a corner. */
export function BatchTray({ batch, onClose }: { batch: Batch; onClose: () => void }) {
  const id = batch.id ?? "";
  const { data = batch } = useQuery({
    queryKey: ["batch", id],
    queryFn: ({ signal }) => durable.batch(id, signal),
    refetchInterval: (query) => (query.state.data?.state === "running" ? 500 : false),
  });
  const done = data.taken + data.refused;
  const isRunning = data.state === "running";
  useEffect(() => {
    if (!isRunning) void queryClient.invalidateQueries({ queryKey: ["runs"] });
  }, [isRunning]);
  const verb = data.compensate ? "told to undo and end" : words(data.action).done;
  return (
    <section
      aria-label="Batch"
      className="rise fixed right-4 bottom-16 z-30 w-80 rounded-card border border-line bg-page p-3 shadow-[var(--shadow)] md:bottom-4"
    >
      <p role="status" className="font-medium">
        {isRunning
          ? `${count(done)} of ${plural(data.eligible, "run")}…`
          : `${plural(data.taken, "run")} ${verb}${data.state === "aborted" ? ", then stopped" : ""}`}
      </p>
      <div className="my-2 h-1.5 overflow-hidden rounded-full bg-sunken">
        <div
          className="h-full bg-completed transition-[width]"
          style={{ width: `${(done / Math.max(1, data.eligible)) * 100}%` }}
        />
      </div>
      {data.refused > 0 && (
        <details className="text-dense text-dim">
          <summary>{plural(data.refused, "run")} refused</summary>
          <ul className="mt-1 max-h-32 overflow-y-auto">
            {data.refusals.map((it) => (
              <li key={it.run_id}>
                <span className="font-mono">{it.run_id}</span>: {it.reason}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div className="mt-2 flex justify-end gap-2">
        {isRunning ? (
          <Button
            onClick={() => {
              durable.abortBatch(id).catch((error: unknown) => toastError(error));
            }}
          >
            Stop
          </Button>
        ) : (
          <Button onClick={onClose}>Close</Button>
        )}
      </div>
    </section>
  );
}

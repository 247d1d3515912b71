/** Actions on one run that go beyond a retry and a cancel. Each names its consequence first. */
import { type Checkpoint, DurableError, type RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  CirclePlay,
  GitBranch,
  MessageSquareText,
  OctagonX,
  Pause,
  RotateCcw,
  StepForward,
  Trash2,
} from "lucide-react";
import { useState } from "react";
import { durable, queryClient } from "../api/client";
import { forkQuery, payloadsQuery, runQuery, useMay } from "../api/queries";
import { payloadSchema } from "../lib/described";
import { plural } from "../lib/format";
import { title } from "../lib/outline";
import { Confirm } from "./actions";
import { JsonField, readJson } from "./json-field";
import { Field, INPUT, Skeleton, StepState, Trouble } from "./kit";
import { PayloadField, useOutline, usePayload } from "./payload";

interface Asked {
  run: RunSummary;
  onClose: () => void;
}

export function ContinueDialog({ run, onClose }: Asked) {
  return (
    <Confirm
      title="Continue from the breakpoint"
      consequence={`${run.id} goes on from each breakpoint at which it stands now. It stops again at the next one.`}
      verb="Continue"
      icon={StepForward}
      act={(reason) => durable.goOn(run.id, reason)}
      done={`${run.id} goes on`}
      onClose={onClose}
    />
  );
}

export function PauseDialog({ run, onClose }: Asked) {
  return (
    <Confirm
      title="Pause this run"
      consequence={`${run.id} asks for nothing new until it is resumed. Steps that are under way end first; signals and results are still taken, and timers go on.`}
      verb="Pause the run"
      icon={Pause}
      act={(reason) => durable.pause(run.id, reason)}
      done={({ outcome }) =>
        outcome === "paused" ? `${run.id} is paused` : `${run.id} pauses once its steps have ended`
      }
      onClose={onClose}
    />
  );
}

export function ResumeDialog({ run, onClose }: Asked) {
  return (
    <Confirm
      title="Resume this run"
      consequence={`${run.id} goes on where it stood, with whatever has arrived meanwhile. Waits that ran out end at once.`}
      verb="Resume the run"
      icon={CirclePlay}
      act={(reason) => durable.resume(run.id, reason)}
      done={`${run.id} is due again`}
      onClose={onClose}
    />
  );
}

export function DeleteDialog({ run, onClose }: Asked) {
  const navigate = useNavigate();
  return (
    <Confirm
      title="Delete this run"
      consequence={`${run.id} is removed with its operations and payloads. This cannot be undone. What it did elsewhere stays done, and its audit log is kept.`}
      verb="Delete the run"
      icon={Trash2}
      act={async (reason) => {
        await durable.remove(run.id, reason);
        await navigate({ to: "/runs" });
        queryClient.removeQueries({ queryKey: runQuery(run.id).queryKey });
        void queryClient.invalidateQueries({ queryKey: ["runs"] });
      }}
      done={`${run.id} was deleted`}
      onClose={onClose}
    />
  );
}

export function ForceFailDialog({ run, onClose }: Asked) {
  return (
    <Confirm
      title="Make this run fail"
      consequence={`${run.id} ends as failed. Nothing is undone: its code does not run any more. A retry can let it go on later.`}
      verb="Make it fail"
      icon={OctagonX}
      reasonHint="It is what the failure says, and is logged with your name."
      act={(reason) => durable.forceFail(run.id, reason ?? "")}
      done={`${run.id} has failed`}
      onClose={onClose}
    />
  );
}

/** JSON that is being written, with what is wrong with it once someone wants to send it. */
function useJson(first: string) {
  const [text, setText] = useState(first);
  const [problem, setProblem] = useState<string>();
  const read = readJson(text);
  return {
    text,
    problem,
    setText,
    value: "value" in read ? read.value : undefined,
    check: () => {
      setProblem("problem" in read ? `This is no JSON: ${read.problem}` : undefined);
      return "value" in read;
    },
  };
}

export function UpdateDialog({ run, waits, onClose }: Asked & { waits: Checkpoint[] }) {
  const names = [...new Set(waits.map((it) => it.name))];
  const [name, setName] = useState(names[0] ?? "");
  const outline = useOutline(run);
  const wait = waits.find((it) => it.name === name) ?? { kind: "update", name };
  const payload = usePayload(payloadSchema(outline, wait));
  // Made once per dialog: however often it is sent, it is taken once.
  const [id, setId] = useState(() => crypto.randomUUID());
  return (
    <Confirm
      title="Send an update"
      consequence={`${run.id} is asked for something, and its code answers. What it refuses changes nothing.`}
      verb="Send"
      icon={MessageSquareText}
      check={payload.check}
      act={async (reason) => {
        try {
          return await durable.update(run.id, name, payload.value, { id, reason });
        } catch (error) {
          // The answer to this one is known: what is mended and sent again is another one.
          if (error instanceof DurableError && error.status < 500) setId(crypto.randomUUID());
          throw error;
        }
      }}
      done={(reply) => `${name} was answered: ${shorten(JSON.stringify(reply))}`}
      onClose={onClose}
    >
      {names.length > 1 && (
        <Field label="Name">
          {(field) => (
            <select
              id={field}
              className={INPUT}
              value={name}
              onChange={(event) => setName(event.target.value)}
            >
              {names.map((it) => (
                <option key={it}>{it}</option>
              ))}
            </select>
          )}
        </Field>
      )}
      <PayloadField
        label={names.length > 1 ? "Arguments" : `Arguments of ${name}`}
        hint='JSON of the type that the code expects, such as "Elm Street 1"; empty is null.'
        payload={payload}
      />
    </Confirm>
  );
}

/** So much of an answer is shown. */
const MOST_SHOWN = 120;

const shorten = (text: string): string =>
  text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;

export function SkipDialog({ run, step, onClose }: Asked & { step: Checkpoint }) {
  const json = useJson("");
  return (
    <Confirm
      title="Skip this operation"
      consequence={`${title(step)} counts as completed, and ${run.id} goes on with the value below as its result. An attempt that is under way is cut off; whatever it did stays done.`}
      verb="Skip it"
      icon={StepForward}
      check={json.check}
      act={(reason) => durable.skipStep(run.id, step.seq, json.value, reason)}
      done={`${title(step)} has a result`}
      onClose={onClose}
    >
      <JsonField
        label="Result"
        hint="JSON of the type that the code expects; empty is null."
        problem={json.problem}
        text={json.text}
        onChange={json.setText}
      />
    </Confirm>
  );
}

/** Reads the input first: it is what is changed. */
export function RetryInputDialog({ run, onClose }: Asked) {
  const may = useMay();
  const { data, isPending } = useQuery({
    ...payloadsQuery(run.id, run.rev),
    enabled: may.payloads,
    // What is being written must not change under the hands of whoever writes.
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (may.payloads && isPending) return null;
  const first = data === undefined ? "" : JSON.stringify(data.input, null, 2);
  return <RetryInputForm run={run} first={first} onClose={onClose} />;
}

function RetryInputForm({ run, first, onClose }: Asked & { first: string }) {
  const json = useJson(first);
  return (
    <Confirm
      title="Retry with another input"
      consequence={`${run.id} begins again from the top under the same id. All that it had recorded is dropped, and every step executes again, also those that have completed.`}
      verb="Begin again"
      icon={RotateCcw}
      wide
      check={json.check}
      act={(reason) => durable.retryWithInput(run.id, json.value, reason)}
      done={`${run.id} begins again`}
      onClose={onClose}
    >
      <JsonField
        label="Input"
        hint={first === "" ? "JSON; you may not see the input that it had." : "JSON."}
        problem={json.problem}
        rows={10}
        text={json.text}
        onChange={json.setText}
      />
    </Confirm>
  );
}

/** The operations of a preview that are listed. */
const MOST_LISTED = 50;

export function ForkDialog({ run, from, onClose }: Asked & { from?: number }) {
  const navigate = useNavigate();
  const [seq, setSeq] = useState(from === undefined ? "" : String(from));
  const [id, setId] = useState("");
  const fromSeq = seq.trim() === "" ? undefined : Number(seq);
  const preview = useQuery(forkQuery(run.id, run.rev, fromSeq));
  const plan = preview.data;
  return (
    <Confirm
      title="Fork this run"
      consequence={
        <>
          A new run of {run.workflow} begins with a part of this one's history and goes on by
          itself. <span className="font-mono">{run.id}</span> stays as it is.
        </>
      }
      verb="Begin the new run"
      icon={GitBranch}
      wide
      isReady={plan !== undefined && !preview.isPlaceholderData && preview.error === null}
      act={async (reason) => {
        const { run_id } = await durable.fork(run.id, {
          from_seq: fromSeq,
          ...(id.trim() ? { id: id.trim() } : {}),
          ...(reason ? { reason } : {}),
        });
        void queryClient.invalidateQueries({ queryKey: ["runs"] });
        if (run_id != null) await navigate({ to: "/runs/$id", params: { id: run_id } });
        return run_id;
      }}
      done={(made) => `${made} begins from ${run.id}`}
      onClose={onClose}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field
          label="First operation that runs again"
          hint="Its position. Empty: the one that the run failed of, or none that has ended."
        >
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              type="number"
              min={0}
              step={1}
              className={INPUT}
              value={seq}
              onChange={(event) => setSeq(event.target.value)}
            />
          )}
        </Field>
        <Field label="Id of the new run" hint="Optional.">
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              className={`${INPUT} font-mono text-dense`}
              value={id}
              onChange={(event) => setId(event.target.value)}
            />
          )}
        </Field>
      </div>
      {preview.error !== null && <Trouble error={preview.error} />}
      {preview.isPending && <Skeleton rows={2} />}
      {plan && preview.error === null && (
        <section
          aria-label="What the fork would do"
          className="rounded-card border border-line bg-raised px-3 py-2"
        >
          <p className="font-medium">
            {plural(plan.kept.length, "outcome")} {plan.kept.length === 1 ? "is" : "are"} kept,{" "}
            {plural(plan.again.length, "recorded operation")}{" "}
            {plan.again.length === 1 ? "runs" : "run"} again.
          </p>
          {plan.undone.length > 0 && (
            <p className="mt-1">
              These were undone, and the new run takes them as done: {plan.undone.join(", ")}.
            </p>
          )}
          {plan.again.length > 0 && (
            <ul aria-label="Runs again" className="mt-1.5 max-h-40 overflow-y-auto text-dense">
              {plan.again.slice(0, MOST_LISTED).map((it) => (
                <li key={it.seq} className="flex items-center gap-2">
                  <span className="w-8 shrink-0 text-right font-mono text-dim">{it.seq}</span>
                  <span className="min-w-0 truncate">
                    {it.name || it.kind.replaceAll("_", " ")}
                  </span>
                  <span className="ml-auto shrink-0 text-dim">
                    <StepState kind={it.kind} status={it.status} />
                  </span>
                </li>
              ))}
              {plan.again.length > MOST_LISTED && (
                <li className="text-dim">and {plan.again.length - MOST_LISTED} more</li>
              )}
            </ul>
          )}
        </section>
      )}
    </Confirm>
  );
}

/** Actions on runs. Each names its consequence before it is taken, and asks for a reason. */
import type { Checkpoint, RunSummary, UndoPlan } from "@durable/client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Ban, type LucideIcon, Megaphone, Radio, RotateCw, Undo2 } from "lucide-react";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { durable } from "../api/client";
import { undoQuery, useMay } from "../api/queries";
import { payloadSchema } from "../lib/described";
import { plural } from "../lib/format";
import { JsonField, readJson } from "./json-field";
import { Button, cx, Dialog, Field, INPUT, Skeleton, Trouble } from "./kit";
import { PayloadField, useOutline, usePayload } from "./payload";
import { toast } from "./toast";

/** What an action needs before it is taken. */
export function ReasonField({
  value,
  onChange,
  hint,
}: {
  value: string;
  onChange: (value: string) => void;
  /** What it is for, where there has to be one. */
  hint?: string;
}) {
  return (
    <Field label="Reason" hint={hint ?? "Optional; it is logged with your name."}>
      {(id, note) => (
        <input
          id={id}
          required={hint !== undefined}
          aria-describedby={note}
          className={INPUT}
          value={value}
          maxLength={300}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

export function Confirm<T>({
  title,
  consequence,
  verb,
  icon,
  act,
  done,
  onClose,
  reasonHint,
  check,
  isReady = true,
  wide,
  children,
}: {
  title: string;
  consequence: ReactNode;
  verb: string;
  icon: LucideIcon;
  act: (reason: string | undefined) => Promise<T>;
  /** What is said once it is taken. */
  done: string | ((taken: T) => string);
  onClose: () => void;
  /** What the reason is for, where there has to be one. */
  reasonHint?: string;
  /** Whether what was filled in can be sent. */
  check?: () => boolean;
  /** Whether it is known what would be done. */
  isReady?: boolean;
  wide?: boolean;
  /** What else has to be filled in. */
  children?: ReactNode;
}) {
  const [reason, setReason] = useState("");
  const action = useMutation({
    mutationFn: () => act(reason.trim() || undefined),
    onSuccess: (taken) => {
      toast(typeof done === "string" ? done : done(taken));
      onClose();
    },
  });
  return (
    <Dialog title={title} onClose={onClose} wide={wide}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (check?.() ?? true) action.mutate();
        }}
      >
        <p>{consequence}</p>
        {children}
        <ReasonField value={reason} onChange={setReason} hint={reasonHint} />
        {action.error !== null && <Trouble error={action.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Leave it</Button>
          <Button
            type="submit"
            look="primary"
            icon={icon}
            busy={action.isPending}
            disabled={!isReady}
          >
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function RetryDialog({ run, onClose }: { run: RunSummary; onClose: () => void }) {
  return (
    <Confirm
      title="Retry this run"
      consequence={`${run.id} continues where it stands: what completed stays completed, and what failed is tried again.`}
      verb="Retry"
      icon={RotateCw}
      act={(reason) => durable.retry(run.id, reason)}
      done={`${run.id} is due again`}
      onClose={onClose}
    />
  );
}

/** The two ways in which a run can be cancelled. */
const WAYS = [
  {
    compensate: false,
    label: "End it where it stands",
    hint: "A step that is under way is not waited for, and its result is dropped. What was done is not undone. A retry can let it go on later.",
    verb: "Cancel the run",
    icon: Ban,
  },
  {
    compensate: true,
    label: "Undo what was done first",
    hint: "Each completed step that says how it is undone is undone, the last one first. Others stay done. The run is cancelling until then, and its steps are not done again.",
    verb: "Undo and cancel",
    icon: Undo2,
  },
];

/** So many steps are listed of each kind. */
const MOST_STEPS = 50;

/** What undoing would undo, in its order, and what would stay done. */
function UndoPreview({ run }: { run: RunSummary }) {
  const { data: plan, error, isPending } = useQuery(undoQuery(run.id, run.rev));
  if (error !== null) return <Trouble error={error} />;
  if (isPending) return <Skeleton rows={2} height={28} />;
  const { undone, left, unknown } = plan;
  return (
    <section
      aria-label="What would be undone"
      className="rounded-card border border-line bg-raised px-3 py-2"
    >
      <p className="font-medium">
        {undone.length === 0
          ? "No completed step is known to have an undo."
          : `${plural(undone.length, "step")} will be undone, in this order:`}
      </p>
      {undone.length > 0 && (
        <ol aria-label="Will be undone" className="mt-1.5 max-h-40 overflow-y-auto text-dense">
          {undone.slice(0, MOST_STEPS).map((it, at) => (
            <li key={it.seq} className="flex items-baseline gap-2 py-0.5">
              <span className="w-5 shrink-0 text-right text-dim">{at + 1}</span>
              <Undo2 aria-hidden size={13} className="shrink-0 self-center text-attention" />
              <span className="min-w-0 truncate">{it.name}</span>
              <span className="ml-auto min-w-0 shrink truncate text-dim" title={it.undo ?? ""}>
                by {it.undo}
              </span>
            </li>
          ))}
          <More than={undone.length} />
        </ol>
      )}
      <Names title="Without an undo, so they stay done" steps={left} />
      <Names title="Of these is not known here whether they would be undone" steps={unknown} />
    </section>
  );
}

function Names({ title, steps }: { title: string; steps: UndoPlan["left"] }) {
  if (steps.length === 0) return null;
  const names = [...new Set(steps.map((it) => it.name))];
  return (
    <p className="mt-2 text-dense">
      <span className="text-dim">{title}: </span>
      {names.slice(0, MOST_STEPS).join(", ")}
      {names.length > MOST_STEPS && `, and ${names.length - MOST_STEPS} more`}
    </p>
  );
}

const More = ({ than }: { than: number }) =>
  than > MOST_STEPS ? <li className="text-dim">and {than - MOST_STEPS} more</li> : null;

export function CancelDialog({ run, onClose }: { run: RunSummary; onClose: () => void }) {
  const [way, setWay] = useState(WAYS[0]!);
  const group = useId();
  const may = useMay();
  return (
    <Confirm
      title="Cancel this run"
      consequence={`${run.id} ends, and runs that it has started with it, unless they are to be left alone.`}
      verb={way.verb}
      icon={way.icon}
      act={(reason) => durable.cancel(run.id, reason, { compensate: way.compensate })}
      done={way.compensate ? `${run.id} is being undone` : `${run.id} was told to end`}
      onClose={onClose}
    >
      <fieldset className="flex flex-col gap-2">
        <legend className="sr-only">How</legend>
        {WAYS.map((it) => (
          <label
            key={it.label}
            className={cx(
              "flex cursor-pointer items-start gap-2.5 rounded-card border px-3 py-2",
              it === way ? "border-accent bg-accent-soft" : "border-line hover:bg-raised",
            )}
          >
            <input
              type="radio"
              name={group}
              className="mt-1"
              checked={it === way}
              onChange={() => setWay(it)}
            />
            <span>
              <span className="block font-medium">{it.label}</span>
              <span className="block text-dense text-dim">{it.hint}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {way.compensate && may.offers("undo") && <UndoPreview run={run} />}
    </Confirm>
  );
}

/** Tells all runs that wait for an event, and not this one alone. */
export function EventDialog({ names, onClose }: { names: string[]; onClose: () => void }) {
  const [name, setName] = useState(names[0] ?? "");
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string>();
  // Made once per dialog: however often it is sent, it is published once.
  const [id] = useState(() => crypto.randomUUID());
  const known = useId();
  const read = readJson(text);
  return (
    <Confirm
      title="Publish an event"
      consequence="Every run that waits for it gets it if its conditions match, and so do those that begin to wait soon."
      verb="Publish"
      icon={Megaphone}
      check={() => {
        setProblem("problem" in read ? `This is no JSON: ${read.problem}` : undefined);
        return "value" in read;
      }}
      act={(reason) => durable.publish(name, "value" in read ? read.value : null, { id, reason })}
      done={({ outcome, runs, started }) =>
        outcome === "duplicate"
          ? `${name} had been published before`
          : `${name} has reached ${plural(runs, "run")}${started > 0 ? ` and started ${started}` : ""}`
      }
      onClose={onClose}
    >
      <Field label="Name">
        {(field) => (
          <>
            <input
              id={field}
              list={known}
              required
              className={`${INPUT} font-mono`}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
            <datalist id={known}>
              {names.map((it) => (
                <option key={it} value={it} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      <JsonField
        label="Payload"
        hint="JSON, which conditions are matched with; empty is null."
        problem={problem}
        text={text}
        onChange={setText}
      />
    </Confirm>
  );
}

export function SignalDialog({
  run,
  waits,
  onClose,
}: {
  run: RunSummary;
  /** What the run waits for. */
  waits: Checkpoint[];
  onClose: () => void;
}) {
  const tokens = [...new Set(waits.map((it) => it.name))];
  const [token, setToken] = useState(tokens[0] ?? "");
  const outline = useOutline(run);
  const wait = waits.find((it) => it.name === token) ?? { kind: "signal", name: token };
  const payload = usePayload(payloadSchema(outline, wait));
  const [reason, setReason] = useState("");
  // Made once per dialog: however often it is sent, it is taken once.
  const [id] = useState(() => crypto.randomUUID());
  const known = useId();
  const action = useMutation({
    mutationFn: (value: unknown) =>
      durable.signal(token, value, { id, reason: reason.trim() || undefined }),
    onSuccess: ({ outcome }) => {
      toast(
        outcome === "delivered"
          ? `${token} was delivered`
          : outcome === "duplicate"
            ? `${token} had been sent before`
            : `Nobody waits for ${token} yet; the next one who does gets it`,
      );
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (payload.check()) action.mutate(payload.value);
  };
  return (
    <Dialog title="Send a signal" onClose={onClose}>
      <form className="flex flex-col gap-4" onSubmit={submit}>
        <Field
          label="Token"
          hint={
            tokens.length > 0
              ? "What this run waits for."
              : "This run waits for none; whoever waits for the token next gets the signal."
          }
        >
          {(field, note) => (
            <>
              <input
                id={field}
                aria-describedby={note}
                list={known}
                required
                className={`${INPUT} font-mono`}
                value={token}
                onChange={(event) => setToken(event.target.value)}
              />
              <datalist id={known}>
                {tokens.map((it) => (
                  <option key={it} value={it} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        <PayloadField
          label="Value"
          hint="JSON, such as {&quot;approved&quot;: true}; empty is null."
          payload={payload}
        />
        <ReasonField value={reason} onChange={setReason} />
        {action.error !== null && <Trouble error={action.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Close</Button>
          <Button type="submit" look="primary" icon={Radio} busy={action.isPending}>
            Send
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

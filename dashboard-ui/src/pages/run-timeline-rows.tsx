/** The rows of a run's timeline: operations and folds against an axis of time. */
import type { Checkpoint } from "@durable/client";
import { ArrowUpRight, ChevronDown, ChevronRight, Repeat } from "lucide-react";
import { memo } from "react";
import { runsOf } from "../lib/allowed";
import { duration } from "../lib/format";
import { type FoldItem, hasFailed, isOpen, isRunning, title } from "../lib/outline";
import { queueOf } from "../lib/queue";
import type { Scale } from "../lib/scale";
import { kindIcon, stepLook, TONE_FILL, type Tone } from "../lib/status";
import { FastLink, runHref } from "../ui/fast-link";
import { cx, LookIcon } from "../ui/kit";

/** What a run does nothing about but wait. */
export const IDLE_KINDS = new Set([
  "sleep",
  "signal",
  "event",
  "child",
  "task",
  "webhook",
  "breakpoint",
  "update",
]);

/** Names on the left, time in the middle, spans on the right. */
const COLUMNS =
  "grid grid-cols-[24px_minmax(96px,132px)_minmax(60px,1fr)_64px] items-center gap-x-2 md:grid-cols-[36px_minmax(110px,220px)_minmax(60px,1fr)_84px]";

export function Ruler({ axis, start }: { axis: Scale; start: number }) {
  const whole = axis.to - axis.from;
  return (
    <div
      aria-hidden
      className={cx(
        COLUMNS,
        "sticky top-0 z-10 h-6 border-b border-line bg-page px-3 text-meta text-dim",
      )}
    >
      <span />
      <span>{axis.from > start ? `+${duration(axis.from - start)}` : "0"}</span>
      <span className="relative h-full">
        {axis.gaps.map((gap) => {
          const left = axis.at(gap.from) * 100;
          const width = (axis.at(gap.to) - axis.at(gap.from)) * 100;
          return (
            <span
              key={gap.from}
              className="absolute top-1 overflow-visible whitespace-nowrap text-center"
              style={{ left: `${left + width / 2}%`, transform: "translateX(-50%)" }}
            >
              {duration(gap.to - gap.from)}
            </span>
          );
        })}
      </span>
      <span className="text-right">{duration(whole)}</span>
    </div>
  );
}

export function Gaps({ axis }: { axis: Scale }) {
  return (
    <div aria-hidden className={cx(COLUMNS, "pointer-events-none absolute inset-0 px-3")}>
      <span />
      <span />
      <span className="relative h-full">
        {axis.gaps.map((gap) => (
          <span
            key={gap.from}
            className="absolute inset-y-0 border-x border-dashed border-line bg-raised/60"
            style={{
              left: `${axis.at(gap.from) * 100}%`,
              width: `${(axis.at(gap.to) - axis.at(gap.from)) * 100}%`,
            }}
          />
        ))}
      </span>
      <span />
    </div>
  );
}

interface StepRowProps {
  step: Checkpoint;
  depth: number;
  top: number;
  axis: Scale;
  now: number;
  isPicked: boolean;
  isOver: boolean;
  /** It has not held the run up, and that is what somebody looks for. */
  isAside: boolean;
  onPick: (seq: number | undefined) => void;
}

export const StepRow = memo(
  function StepRow({
    step,
    depth,
    top,
    axis,
    now,
    isPicked,
    isOver,
    isAside,
    onPick,
  }: StepRowProps) {
    const look = stepLook(step.kind, isOver && isOpen(step) ? "abandoned" : step.status);
    const end = step.finished_at ?? (isOver ? step.started_at : now);
    const isWait = IDLE_KINDS.has(step.kind) && !hasFailed(step);
    // A breakpoint asks for somebody; other waits do not.
    const tone: Tone = isWait && look.tone !== "attention" ? "waiting" : look.tone;
    const Kind = kindIcon(step.kind);
    const hasRun = runsOf(step).length > 0;
    const queue = queueOf(step);
    return (
      <div
        role="option"
        id={`op-${step.seq}`}
        data-seq={step.seq}
        aria-selected={isPicked}
        tabIndex={-1}
        onClick={() => onPick(isPicked ? undefined : step.seq)}
        className={cx(
          COLUMNS,
          "absolute inset-x-0 h-7 cursor-pointer px-3 hover:bg-raised",
          isPicked && "bg-accent-soft hover:bg-accent-soft",
        )}
        style={{ transform: `translateY(${top}px)` }}
      >
        <span className="text-right font-mono text-meta text-dim">{step.seq}</span>
        <span
          className={cx("flex min-w-0 items-center gap-1.5", hasRun && "pr-6")}
          style={{ paddingLeft: depth * 14 }}
        >
          <LookIcon look={look} />
          <span className="truncate">{title(step)}</span>
          {Kind && Kind !== look.icon && (
            <Kind aria-hidden size={12} className="shrink-0 text-dim" />
          )}
          <span className="sr-only">
            , {step.kind}, {look.label}
          </span>
          {step.attempt > 1 && (
            <span className="shrink-0 text-meta text-dim" title={`${step.attempt} attempts`}>
              ×{step.attempt}
            </span>
          )}
        </span>
        <Bar
          from={step.started_at}
          to={end}
          axis={axis}
          tone={tone}
          isLive={step.finished_at == null && !isOver && step.status !== "last_seen_running"}
          isAside={isAside}
          queuedUntil={queue?.queuedMs === undefined ? undefined : queue.takenAt}
          ticks={attemptsOf(step)}
        />
        <span className="truncate text-right font-mono text-meta text-dim">
          {duration(end - step.started_at)}
        </span>
      </div>
    );
  },
  (one, two) =>
    one.step === two.step &&
    one.top === two.top &&
    one.depth === two.depth &&
    one.axis === two.axis &&
    one.isPicked === two.isPicked &&
    one.isOver === two.isOver &&
    one.isAside === two.isAside &&
    one.onPick === two.onPick &&
    (one.step.finished_at != null || one.now === two.now),
);

/** Leads to an operation's run. It lies above the row: nothing in an option can be focused. */
export function RunLink({ run, top }: { run: string; top: number }) {
  return (
    <span
      className={cx(COLUMNS, "pointer-events-none absolute inset-x-0 top-0 h-7 px-3")}
      style={{ transform: `translateY(${top}px)` }}
    >
      <FastLink
        href={runHref(run)}
        title={`Open ${run}`}
        aria-label={`Open ${run}`}
        className="pointer-events-auto col-start-2 inline-flex size-6 items-center justify-center justify-self-end rounded-control text-dim hover:bg-sunken hover:text-ink"
      >
        <ArrowUpRight aria-hidden size={14} />
      </FastLink>
    </span>
  );
}

/** When later attempts reported for the first time. */
function attemptsOf(step: Checkpoint): number[] {
  const first = new Map<number, number>();
  for (const event of step.events) {
    if (event.attempt > 1 && !first.has(event.attempt)) first.set(event.attempt, event.at);
  }
  return [...first.values()];
}

function Bar({
  from,
  to,
  axis,
  tone,
  isLive,
  isAside = false,
  queuedUntil,
  ticks,
}: {
  from: number;
  to: number;
  axis: Scale;
  tone: Tone;
  isLive: boolean;
  isAside?: boolean;
  /** Until then it was in a queue. */
  queuedUntil?: number;
  ticks: number[];
}) {
  // Nothing of it lies in the part that is drawn.
  if (to < axis.from || from > axis.to) return <span aria-hidden />;
  const left = axis.at(from) * 100;
  const width = axis.at(to) * 100 - left;
  return (
    <span aria-hidden className="relative h-3">
      <span
        className={cx(
          "absolute inset-y-0 min-w-1 rounded-[3px]",
          TONE_FILL[tone],
          isLive && "pulse",
          isAside && "opacity-25",
        )}
        style={{ left: `min(${left}%, calc(100% - 4px))`, width: `${width}%` }}
      />
      {queuedUntil !== undefined && queuedUntil > from && (
        <span
          className="hatch absolute inset-y-0 rounded-l-[3px]"
          style={{ left: `${left}%`, width: `${axis.at(queuedUntil) * 100 - left}%` }}
        />
      )}
      {ticks.map((at) => (
        <span
          key={at}
          className="absolute -inset-y-0.5 w-0.5 bg-page"
          style={{ left: `${axis.at(at) * 100}%` }}
        />
      ))}
    </span>
  );
}

export function FoldRow({
  fold,
  top,
  axis,
  now,
  onToggle,
}: {
  fold: FoldItem;
  top: number;
  axis: Scale;
  now: number;
  onToggle: () => void;
}) {
  const from = Math.min(...fold.steps.map((step) => step.started_at));
  const to = Math.max(...fold.steps.map((step) => step.finished_at ?? now));
  const Chevron = fold.isOpen ? ChevronDown : ChevronRight;
  const tone: Tone =
    fold.failed > 0
      ? "failed"
      : fold.steps.some(isRunning)
        ? "running"
        : fold.open > 0
          ? "waiting"
          : "completed";
  return (
    <div
      role="presentation"
      className={cx(COLUMNS, "absolute inset-x-0 h-7 px-3 hover:bg-raised")}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span />
      <button
        type="button"
        aria-expanded={fold.isOpen}
        onClick={onToggle}
        className="flex min-w-0 items-center gap-1 text-left"
      >
        <Chevron aria-hidden size={14} className="shrink-0 text-dim" />
        <Repeat aria-hidden size={13} className="shrink-0 text-dim" />
        <span className="truncate">
          {fold.iterations.length} × {fold.body.join(", ")}
        </span>
      </button>
      <Bar from={from} to={to} axis={axis} tone={tone} isLive={fold.open > 0} ticks={[]} />
      <span className="truncate text-right font-mono text-meta text-dim">
        {fold.failed > 0 ? `${fold.failed} failed` : duration(to - from)}
      </span>
    </div>
  );
}

/** A run's operations against time. */
import type { Checkpoint, RunDetail } from "@durable/client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowUpRight, ChevronDown, ChevronRight, Hourglass, Repeat } from "lucide-react";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { runsOf } from "../lib/allowed";
import { duration, plural } from "../lib/format";
import { useNow } from "../lib/now";
import { type FoldItem, hasFailed, isCapture, isOpen, outline, title } from "../lib/outline";
import { type Scale, scale } from "../lib/scale";
import { kindIcon, stepLook, TONE_FILL, type Tone } from "../lib/status";
import { FastLink, runHref } from "../ui/fast-link";
import { cx, Empty, INPUT, LookIcon } from "../ui/kit";

const ROW = 28;

/** What a run does nothing about but wait. */
const IDLE_KINDS = new Set(["sleep", "signal", "child", "task", "webhook", "breakpoint", "update"]);

export function Timeline({
  detail,
  picked,
  onPick,
}: {
  detail: RunDetail;
  picked: number | undefined;
  onPick: (seq: number | undefined) => void;
}) {
  const { run, timeline } = detail;
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [squeeze, setSqueeze] = useState(true);
  const [find, setFind] = useState("");
  const [captures, setCaptures] = useState(false);
  const ticking = useNow();
  const now = run.finished_at ?? Math.max(ticking, run.updated_at);
  const steps = useMemo(() => {
    const words = find.trim().toLowerCase();
    return timeline.filter(
      (step) =>
        (captures || !isCapture(step)) &&
        (words === "" ||
          `${title(step)} ${step.kind} ${step.status}`.toLowerCase().includes(words)),
    );
  }, [timeline, find, captures]);
  const hidden = timeline.length - timeline.filter((step) => !isCapture(step)).length;
  const items = useMemo(() => outline(steps, opened), [steps, opened]);
  // An open end moves by the second; what is squeezed does not depend on it otherwise.
  const axis = useMemo(() => {
    const spans = timeline.map((step) => ({
      from: step.started_at,
      to: step.finished_at ?? (run.is_terminal ? step.started_at : now),
      isIdle: IDLE_KINDS.has(step.kind) || step.status === "retrying",
    }));
    return scale(spans, run.created_at, now, squeeze);
  }, [timeline, run.created_at, run.is_terminal, now, squeeze]);

  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const at = items.findIndex((it) => it.type === "step" && it.step.seq === picked);
  useEffect(() => {
    if (at >= 0) rows.scrollToIndex(at, { align: "auto" });
  }, [at, rows]);
  const toggle = (key: string) =>
    setOpened((known) => {
      const next = new Set(known);
      if (!next.delete(key)) next.add(key);
      return next;
    });

  if (timeline.length === 0) {
    return (
      <Empty icon={Hourglass} title={run.is_terminal ? "No operation" : "No operation yet"}>
        {run.is_terminal
          ? "The run ended before it asked for any."
          : run.status === "pending"
            ? "The run is stored. The next instance that executes runs takes it."
            : "Operations appear here as soon as the workflow asks for them."}
      </Empty>
    );
  }
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line bg-raised px-3 py-1.5 text-dense text-dim">
        <input
          aria-label="Find an operation"
          placeholder="Find an operation"
          className={`${INPUT} h-6.5! max-w-44 text-dense!`}
          value={find}
          onChange={(event) => setFind(event.target.value)}
        />
        <label className="flex items-center gap-1.5">
          <input
            type="checkbox"
            checked={squeeze}
            onChange={(event) => setSqueeze(event.target.checked)}
          />
          Squeeze idle time
        </label>
        {hidden > 0 && (
          <label className="flex items-center gap-1.5">
            <input
              type="checkbox"
              checked={captures}
              onChange={(event) => setCaptures(event.target.checked)}
            />
            {plural(hidden, "captured value")}
          </label>
        )}
        <span className="ml-auto hidden items-center gap-3 sm:flex">
          <Legend tone="waiting" label="waiting" />
          <Legend tone="completed" label="done" />
          <Legend tone="failed" label="failed" />
        </span>
      </div>
      <div ref={box} className="min-h-0 flex-1 overflow-auto">
        <Ruler axis={axis} />
        <div className="relative">
          <div
            role="listbox"
            aria-label="Operations"
            tabIndex={0}
            aria-activedescendant={at >= 0 ? `op-${picked}` : undefined}
            className="relative -outline-offset-2"
            style={{ height: rows.getTotalSize() }}
            onKeyDown={(event) => {
              const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
              if (by === 0) return;
              event.preventDefault();
              let next = at + by;
              while (items[next]?.type === "fold") next += by;
              const item = items[next];
              if (item?.type === "step") onPick(item.step.seq);
            }}
          >
            <Gaps axis={axis} />
            {rows.getVirtualItems().map(({ index, start }) => {
              const item = items[index]!;
              return item.type === "step" ? (
                <StepRow
                  key={item.key}
                  step={item.step}
                  depth={item.depth}
                  top={start}
                  axis={axis}
                  now={now}
                  isPicked={item.step.seq === picked}
                  isOver={run.is_terminal}
                  onPick={onPick}
                />
              ) : (
                <FoldRow
                  key={item.key}
                  fold={item}
                  top={start}
                  axis={axis}
                  now={now}
                  onToggle={() => toggle(item.key)}
                />
              );
            })}
          </div>
          {rows.getVirtualItems().map(({ index, start }) => {
            const item = items[index]!;
            const run = item.type === "step" ? runsOf(item.step)[0] : undefined;
            return run && <RunLink key={item.key} run={run} top={start} />;
          })}
        </div>
      </div>
    </>
  );
}

function Legend({ tone, label }: { tone: Tone; label: string }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <span aria-hidden className={cx("h-2.5 w-4 rounded-[2px]", TONE_FILL[tone])} />
      {label}
    </span>
  );
}

/** Names on the left, time in the middle, spans on the right. */
const COLUMNS =
  "grid grid-cols-[24px_minmax(96px,132px)_minmax(60px,1fr)_64px] items-center gap-x-2 md:grid-cols-[36px_minmax(110px,220px)_minmax(60px,1fr)_84px]";

function Ruler({ axis }: { axis: Scale }) {
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
      <span>0</span>
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

function Gaps({ axis }: { axis: Scale }) {
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
  onPick: (seq: number | undefined) => void;
}

const StepRow = memo(
  function StepRow({ step, depth, top, axis, now, isPicked, isOver, onPick }: StepRowProps) {
    const look = stepLook(step.kind, isOver && isOpen(step) ? "abandoned" : step.status);
    const end = step.finished_at ?? (isOver ? step.started_at : now);
    const isWait = IDLE_KINDS.has(step.kind) && !hasFailed(step);
    // A breakpoint asks for somebody; other waits do not.
    const tone: Tone = isWait && look.tone !== "attention" ? "waiting" : look.tone;
    const Kind = kindIcon(step.kind);
    const hasRun = runsOf(step).length > 0;
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
          isLive={step.finished_at == null && !isOver}
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
    one.onPick === two.onPick &&
    (one.step.finished_at != null || one.now === two.now),
);

/** Leads to an operation's run. It lies above the row: nothing in an option can be focused. */
function RunLink({ run, top }: { run: string; top: number }) {
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
  ticks,
}: {
  from: number;
  to: number;
  axis: Scale;
  tone: Tone;
  isLive: boolean;
  ticks: number[];
}) {
  const left = axis.at(from) * 100;
  const width = axis.at(to) * 100 - left;
  return (
    <span aria-hidden className="relative h-3">
      <span
        className={cx(
          "absolute inset-y-0 min-w-1 rounded-[3px]",
          TONE_FILL[tone],
          isLive && "pulse",
        )}
        style={{ left: `min(${left}%, calc(100% - 4px))`, width: `${width}%` }}
      />
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

function FoldRow({
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
  const tone: Tone = fold.failed > 0 ? "failed" : fold.open > 0 ? "waiting" : "completed";
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

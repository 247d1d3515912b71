/** A run's operations against time. */
import type { Checkpoint, RunDetail } from "@durable/client";
import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Hourglass, Maximize2 } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { runsOf } from "../lib/allowed";
import { critical } from "../lib/critical";
import { plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { useNow } from "../lib/now";
import { isCapture, isRunning, outline, title } from "../lib/outline";
import { scale } from "../lib/scale";
import { TONE_FILL, type Tone } from "../lib/status";
import { around, readZoom, writeZoom, type Zoom } from "../lib/zoom";
import { runRoute } from "../router";
import { Button, cx, Empty, INPUT } from "../ui/kit";
import { Strip } from "./run-strip";
import { FoldRow, Gaps, IDLE_KINDS, Ruler, RunLink, StepRow } from "./run-timeline-rows";

const ROW = 28;

/** Until when something that has not ended lasts, as far as is known. */
const endOf = (step: Checkpoint, now: number, asOf: number | undefined): number =>
  isRunning(step) && asOf !== undefined ? Math.max(step.started_at, asOf) : now;

export function Timeline({
  detail,
  asOf,
  picked,
  onPick,
}: {
  detail: RunDetail;
  /** From when what is known of steps under way is, unless that is now. */
  asOf: number | undefined;
  picked: number | undefined;
  onPick: (seq: number | undefined) => void;
}) {
  const { run, timeline } = detail;
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [squeeze, setSqueeze] = useState(true);
  const [find, setFind] = useState("");
  const [captures, setCaptures] = useState(false);
  const [follows, setFollows] = useState(false);
  const [asksPath, setAsksPath] = useState(false);
  const { z } = runRoute.useSearch();
  const navigate = useNavigate({ from: "/runs/$id" });
  const zoom = useMemo(() => readZoom(z), [z]);
  const setZoom = useCallback(
    (next: Zoom | undefined) =>
      void navigate({
        search: (now) => ({ ...now, z: next && writeZoom(next) }),
        replace: true,
      }),
    [navigate],
  );
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
  const whole = useMemo(() => {
    const spans = timeline.map((step) => ({
      from: step.started_at,
      to: step.finished_at ?? (run.is_terminal ? step.started_at : endOf(step, now, asOf)),
      isIdle: IDLE_KINDS.has(step.kind) || step.status === "retrying",
    }));
    return { spans, axis: scale(spans, run.created_at, now, squeeze) };
  }, [timeline, run.created_at, run.is_terminal, now, asOf, squeeze]);
  const axis = useMemo(() => {
    if (zoom === undefined) return whole.axis;
    const from = run.created_at + zoom.from;
    const to = Math.min(run.created_at + zoom.to, whole.axis.to);
    const inside = whole.spans.filter((span) => span.to >= from && span.from <= to);
    const clipped = inside.map((span) => ({
      ...span,
      from: Math.max(span.from, from),
      to: Math.min(span.to, to),
    }));
    return scale(clipped, from, to, squeeze);
  }, [whole, zoom, run.created_at, squeeze]);
  const path = useMemo(
    () => (asksPath ? critical(timeline, now) : undefined),
    [asksPath, timeline, now],
  );

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
  const count = items.length;
  useEffect(() => {
    if (follows && count > 0) rows.scrollToIndex(count - 1, { align: "end" });
  }, [follows, count, rows]);
  const length = whole.axis.to - run.created_at;
  const keys = useMemo(() => {
    const look = (factor: number) => {
      const shown = zoom ?? { from: 0, to: length };
      const at = timeline.find((step) => step.seq === picked)?.started_at;
      const middle = at === undefined ? (shown.from + shown.to) / 2 : at - run.created_at;
      setZoom(around(shown, middle, factor, length));
    };
    return {
      f: () => setFollows((now) => !now),
      z: () => setZoom(undefined),
      "+": () => look(0.5),
      "-": () => look(2),
    };
  }, [zoom, length, timeline, picked, run.created_at, setZoom]);
  useKeys(keys);
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
        <label className="flex items-center gap-1.5">
          <input
            type="checkbox"
            checked={asksPath}
            onChange={(event) => setAsksPath(event.target.checked)}
          />
          Critical path
        </label>
        {!run.is_terminal && (
          <label className="flex items-center gap-1.5">
            <input
              type="checkbox"
              checked={follows}
              onChange={(event) => setFollows(event.target.checked)}
            />
            Follow
          </label>
        )}
        {zoom !== undefined && (
          <Button icon={Maximize2} look="quiet" className="h-6!" onClick={() => setZoom(undefined)}>
            All of it
          </Button>
        )}
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
          <Legend tone="running" label="running" />
          <Legend tone="waiting" label="waiting" />
          <Legend tone="completed" label="done" />
          <Legend tone="failed" label="failed" />
        </span>
      </div>
      <Strip
        steps={timeline}
        axis={whole.axis}
        now={now}
        start={run.created_at}
        zoom={zoom}
        onZoom={setZoom}
      />
      <div ref={box} className="min-h-0 flex-1 overflow-auto">
        <Ruler axis={axis} start={run.created_at} />
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
                  now={endOf(item.step, now, asOf)}
                  isPicked={item.step.seq === picked}
                  isOver={run.is_terminal}
                  isAside={path !== undefined && !path.has(item.step.seq)}
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

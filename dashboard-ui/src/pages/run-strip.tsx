/** All of a run's time in one line, of which a part can be drawn larger. */
import type { Checkpoint } from "@durable/client";
import { useMemo, useRef, useState } from "react";
import { hasFailed, isRunning } from "../lib/outline";
import type { Scale } from "../lib/scale";
import { between, timeAt, type Zoom } from "../lib/zoom";
import { cx } from "../ui/kit";

const HEIGHT = 22;
/** Lines in which operations are drawn that ran side by side. */
const LANES = 5;

/** Each operation as a line, in as many lanes as there are; three paths draw thousands of them. */
function paths(steps: Checkpoint[], axis: Scale, now: number) {
  const drawn = { done: "", failed: "", open: "" };
  const lanes: number[] = [];
  for (const step of steps) {
    const end =
      step.finished_at ?? (isRunning(step) || step.wake_at != null ? now : step.started_at);
    let lane = lanes.findIndex((until) => until <= step.started_at);
    if (lane === -1) lane = lanes.length < LANES ? lanes.length : LANES - 1;
    lanes[lane] = end;
    const [from, to] = [axis.at(step.started_at) * 1_000, axis.at(end) * 1_000];
    const kind = hasFailed(step) ? "failed" : step.finished_at == null ? "open" : "done";
    drawn[kind] += `M${from.toFixed(1)} ${3 + lane * 4}H${Math.max(to, from + 1.5).toFixed(1)}`;
  }
  return drawn;
}

export function Strip({
  steps,
  axis,
  now,
  start,
  zoom,
  onZoom,
}: {
  steps: Checkpoint[];
  /** Of the whole run. */
  axis: Scale;
  now: number;
  /** When the run was started. */
  start: number;
  zoom: Zoom | undefined;
  onZoom: (zoom: Zoom | undefined) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<{ from: number; to: number }>();
  const lines = useMemo(() => paths(steps, axis, now), [steps, axis, now]);
  const length = axis.to - start;
  const placeOf = (x: number): number => {
    const { left, width } = box.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - left) / width));
  };
  const timeOf = (place: number): number => timeAt(axis, place) - start;
  const end = () => {
    if (drawn === undefined) return;
    setDrawn(undefined);
    const next = between(timeOf(drawn.from), timeOf(drawn.to), length);
    // A click without a way shows all again.
    onZoom(Math.abs(drawn.to - drawn.from) < 0.005 ? undefined : next);
  };
  const marked =
    drawn ??
    (zoom && { from: axis.at(start + zoom.from), to: axis.at(Math.min(start + zoom.to, axis.to)) });
  return (
    <div className="border-b border-line px-3 py-1">
      <div
        ref={box}
        aria-hidden
        title="Draw over a part to see it larger; click to see all"
        className="relative cursor-crosshair touch-none rounded-control bg-raised"
        style={{ height: HEIGHT }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = placeOf(event.clientX);
          setDrawn({ from: at, to: at });
        }}
        onPointerMove={(event) => {
          if (drawn !== undefined) setDrawn({ ...drawn, to: placeOf(event.clientX) });
        }}
        onPointerUp={end}
        onPointerCancel={() => setDrawn(undefined)}
      >
        <svg
          aria-hidden="true"
          viewBox={`0 0 1000 ${HEIGHT}`}
          preserveAspectRatio="none"
          className="size-full"
        >
          {(["done", "open", "failed"] as const).map((kind) => (
            <path
              key={kind}
              d={lines[kind]}
              strokeWidth="2.5"
              className={cx(
                kind === "done" && "stroke-completed",
                kind === "open" && "stroke-waiting",
                kind === "failed" && "stroke-failed",
              )}
            />
          ))}
        </svg>
        {marked && (
          <span
            className="pointer-events-none absolute inset-y-0 rounded-[2px] border-x-2 border-accent bg-accent-soft/60"
            style={{
              left: `${Math.min(marked.from, marked.to) * 100}%`,
              width: `${Math.abs(marked.to - marked.from) * 100}%`,
            }}
          />
        )}
      </div>
    </div>
  );
}

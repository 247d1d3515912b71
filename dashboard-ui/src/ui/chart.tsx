/** How many runs ended when. */
import type { Survey } from "@durable/client";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Zone } from "../lib/format";
import { useTheme, useZone } from "../lib/settings";

const HEIGHT = 190;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds between labels. */
const INCREMENTS = [
  1,
  5,
  10,
  30,
  MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  DAY,
  7 * DAY,
  30 * DAY,
];

function time(at: number, step: number, zone: Zone): string {
  const date = step >= DAY;
  return new Intl.DateTimeFormat(undefined, {
    timeZone: zone === "utc" ? "UTC" : undefined,
    hourCycle: "h23",
    ...(date
      ? { month: "short", day: "numeric" }
      : { hour: "2-digit", minute: "2-digit", second: step < MINUTE ? "2-digit" : undefined }),
  }).format(at * 1_000);
}

/** All of the time, at least so much that a few bars are bars. */
function whole(ended: Survey["ended"]): [number, number] {
  const first = ended[0];
  const last = ended.at(-1);
  if (first === undefined || last === undefined) return [0, 1];
  const bar = (first.to - first.from) / 1_000;
  const [from, to] = [first.from / 1_000, last.to / 1_000];
  return [Math.min(from, to - 30 * bar), to];
}

export default function Chart({
  ended,
  onPick,
}: {
  ended: Survey["ended"];
  /** Somebody clicks a bar, or draws over some. */
  onPick: (from: number, to: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const picked = useRef(onPick);
  picked.current = onPick;
  const theme = useTheme();
  const zone = useZone();
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read anew with the theme
  useEffect(() => {
    const parent = box.current;
    if (parent === null) return;
    const styles = getComputedStyle(document.documentElement);
    const colour = (name: string) => styles.getPropertyValue(`--${name}`).trim();
    const axis = {
      stroke: colour("dim"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { stroke: colour("line"), width: 1 },
      font: "11px system-ui, sans-serif",
    };
    const bars = uPlot.paths.bars!({ size: [0.75, 40] });
    const series = (label: string, name: string) => ({
      label,
      stroke: colour(name),
      fill: colour(name),
      width: 0,
      paths: bars,
      points: { show: false },
    });
    const plot = new uPlot(
      {
        width: parent.clientWidth,
        height: HEIGHT,
        tzDate: zone === "utc" ? (at) => uPlot.tzDate(new Date(at * 1_000), "Etc/UTC") : undefined,
        cursor: {
          y: false,
          drag: { setScale: false, x: true, y: false },
          bind: {
            click: (plot) => () => {
              const bar = ended[plot.cursor.idx ?? -1];
              // What was drawn over has been picked already.
              if (bar !== undefined && plot.select.width < 4) picked.current(bar.from, bar.to);
              return null;
            },
          },
        },
        hooks: {
          setSelect: [
            (plot) => {
              const { left, width } = plot.select;
              if (width < 4) return;
              const at = (x: number) => Math.round(plot.posToVal(x, "x") * 1_000);
              picked.current(at(left), at(left + width));
            },
          ],
        },
        legend: { live: true },
        scales: {
          x: { range: () => whole(ended) },
          y: { range: (_, __, most) => [0, Math.max(4, Math.ceil((most ?? 0) * 1.1))] },
        },
        axes: [
          {
            ...axis,
            space: 90,
            incrs: INCREMENTS,
            values: (_, splits, __, ___, step) => splits.map((at) => time(at, step, zone)),
          },
          { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] },
        ],
        series: [{}, series("ended", "completed"), series("failed", "failed")],
      },
      data(ended),
      parent,
    );
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: parent.clientWidth, height: HEIGHT }),
    );
    observer.observe(parent);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [ended, theme, zone]);
  const all = ended.reduce((sum, it) => sum + it.completed, 0);
  const failed = ended.reduce((sum, it) => sum + it.failed, 0);
  return (
    <div
      ref={box}
      role="img"
      aria-label={`Ended runs over time: ${all} completed, ${failed} failed`}
      className="px-2 pt-2"
    />
  );
}

/** The failed ones stand in front, the completed ones reach above them. */
function data(ended: Survey["ended"]): uPlot.AlignedData {
  const at = (it: Survey["ended"][number]) => (it.from + it.to) / 2_000;
  return [
    ended.map(at),
    ended.map((it) => it.completed + it.failed || null),
    ended.map((it) => it.failed || null),
  ];
}

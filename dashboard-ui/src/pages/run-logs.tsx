/** What the steps of a run reported, merged. */
import type { Checkpoint, RunDetail } from "@durable/client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ScrollText } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { clock, plural } from "../lib/format";
import { useNow } from "../lib/now";
import { title } from "../lib/outline";
import { useZone } from "../lib/settings";
import { cx, Empty, INPUT } from "../ui/kit";

const LEVELS = ["debug", "info", "warn", "error"];
const LINE = 24;

function textOf(event: Checkpoint["events"][number]): string {
  if (event.type === "log") return event.message;
  if (event.type === "taken") return "taken by a worker";
  return event.type === "run" ? `run ${event.run_id}` : `${event.name} ${event.status}`;
}

export function LogsView({ detail, onPick }: { detail: RunDetail; onPick: (seq: number) => void }) {
  const [least, setLeast] = useState(0);
  const [find, setFind] = useState("");
  const [follows, setFollows] = useState(true);
  const zone = useZone();
  const now = useNow();
  const all = useMemo(
    () =>
      detail.timeline
        .flatMap((step) =>
          step.events.map((event, index) => ({
            key: `${step.seq}-${index}`,
            step,
            event,
            level: event.type === "log" ? event.level : "info",
            text: textOf(event),
          })),
        )
        .sort((a, b) => a.event.at - b.event.at),
    [detail.timeline],
  );
  const shown = useMemo(() => {
    const words = find.trim().toLowerCase();
    return all.filter(
      (line) => LEVELS.indexOf(line.level) >= least && line.text.toLowerCase().includes(words),
    );
  }, [all, least, find]);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE,
    overscan: 20,
  });
  useEffect(() => {
    if (follows && shown.length > 0) rows.scrollToIndex(shown.length - 1);
  }, [follows, shown.length, rows]);
  if (all.length === 0) {
    return (
      <Empty icon={ScrollText} title="No step has reported anything">
        A step writes here with <code className="font-mono">step.log(LogLevel::Info, "…")</code>,
        and names its parts with <code className="font-mono">step.sub_process("…")</code>.
      </Empty>
    );
  }
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line bg-raised px-3 py-1.5 text-dense text-dim">
        <input
          aria-label="Find in the logs"
          placeholder="Find in the logs"
          className={`${INPUT} h-6.5! max-w-44 text-dense!`}
          value={find}
          onChange={(event) => setFind(event.target.value)}
        />
        <label className="flex items-center gap-1.5">
          From
          <select
            className="h-6.5 rounded-control border border-line bg-page px-1 text-ink"
            value={least}
            onChange={(event) => setLeast(Number(event.target.value))}
          >
            {LEVELS.map((it, index) => (
              <option key={it} value={index}>
                {it}
              </option>
            ))}
          </select>
        </label>
        <label className="flex items-center gap-1.5">
          <input
            type="checkbox"
            checked={follows}
            onChange={(event) => setFollows(event.target.checked)}
          />
          Follow
        </label>
        <span className="ml-auto">{plural(shown.length, "line")}</span>
      </div>
      <div
        ref={box}
        tabIndex={0}
        role="log"
        aria-label="Logs"
        className="min-h-0 flex-1 overflow-auto font-mono text-dense"
      >
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const line = shown[index]!;
            return (
              <div
                key={line.key}
                className="absolute inset-x-0 flex h-6 items-center gap-3 whitespace-nowrap px-3"
                style={{ transform: `translateY(${start}px)` }}
              >
                <span className="text-dim">{clock(line.event.at, zone, now)}</span>
                <span
                  className={cx(
                    "w-10 shrink-0",
                    LEVELS.indexOf(line.level) >= 2 ? "font-semibold" : "text-dim",
                  )}
                >
                  {line.level}
                </span>
                <button
                  type="button"
                  onClick={() => onPick(line.step.seq)}
                  className="h-6 max-w-40 shrink-0 truncate text-dim hover:text-ink hover:underline"
                >
                  {title(line.step)}
                  {line.event.attempt > 1 && ` ×${line.event.attempt}`}
                </button>
                <span>{line.text}</span>
              </div>
            );
          })}
        </div>
      </div>
    </>
  );
}

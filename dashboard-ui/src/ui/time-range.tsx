/** Between which times the runs of the list were started: the last hours, or from here to there. */
import { CalendarClock } from "lucide-react";
import { useId, useState } from "react";
import { clock } from "../lib/format";
import { type Between, fromField, rangeLabel, SPANS, toField } from "../lib/range";
import { useZone } from "../lib/settings";
import { Button, cx, Field, INPUT } from "./kit";

export function TimeRange({
  newer,
  between,
  onSpan,
  onBetween,
}: {
  /** The span that the search says. */
  newer: string | undefined;
  between: Between;
  onSpan: (span: string | undefined) => void;
  onBetween: (between: Between) => void;
}) {
  const menu = useId();
  const zone = useZone();
  // Drawn only while somebody looks: a list of many rows has elements enough.
  const [isOpen, setOpen] = useState(false);
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const close = () => document.getElementById(menu)?.hidePopover();
  const asked = { from: fromField(from, zone), to: fromField(to, zone) };
  const isBackwards = asked.from !== undefined && asked.to !== undefined && asked.from > asked.to;
  const isFree = newer === undefined && between.from === undefined && between.to === undefined;
  const label = rangeLabel(newer, between, (ms) => clock(ms, zone, Date.now()));
  const spans: [string | undefined, string][] = [
    [undefined, "Any time"],
    ...SPANS.map(([text, name]): [string, string] => [text, `Last ${name}`]),
  ];
  return (
    <>
      <Button
        icon={CalendarClock}
        className="range-anchor h-8.5 pointer-coarse:h-9"
        popoverTarget={menu}
        aria-haspopup="dialog"
        aria-label={`Started: ${label}`}
      >
        <span className={cx("hidden max-w-56 truncate", isFree ? "xl:inline" : "md:inline")}>
          {label}
        </span>
      </Button>
      <div
        id={menu}
        popover="auto"
        role="dialog"
        aria-label="When runs were started"
        className="range-menu m-0 w-72 max-w-[calc(100vw-24px)] rounded-card border border-line bg-page p-1 text-ink shadow-[var(--shadow)]"
        onToggle={(event) => {
          setOpen(event.newState === "open");
          if (event.newState !== "open") return;
          setFrom(toField(between.from, zone));
          setTo(toField(between.to, zone));
        }}
      >
        {isOpen && (
          <>
            {spans.map(([text, name]) => (
              <button
                key={name}
                type="button"
                aria-pressed={text === undefined ? isFree : text === newer}
                onClick={() => {
                  onSpan(text);
                  close();
                }}
                className={cx(
                  "flex h-8 w-full items-center rounded-control px-2 text-left hover:bg-raised",
                  (text === undefined ? isFree : text === newer) && "bg-accent-soft",
                )}
              >
                {name}
              </button>
            ))}
            <form
              className="mt-1 flex flex-col gap-2 border-t border-line p-2"
              onSubmit={(event) => {
                event.preventDefault();
                if (isBackwards) return;
                onBetween(asked);
                close();
              }}
            >
              <Field label={zone === "utc" ? "From (UTC)" : "From"}>
                {(id) => (
                  <input
                    id={id}
                    type="datetime-local"
                    className={INPUT}
                    value={from}
                    onChange={(event) => setFrom(event.target.value)}
                  />
                )}
              </Field>
              <Field
                label={zone === "utc" ? "To (UTC)" : "To"}
                error={isBackwards ? "It ends before it begins" : undefined}
              >
                {(id, describedBy) => (
                  <input
                    id={id}
                    type="datetime-local"
                    className={INPUT}
                    aria-invalid={isBackwards}
                    aria-describedby={describedBy}
                    value={to}
                    onChange={(event) => setTo(event.target.value)}
                  />
                )}
              </Field>
              <Button type="submit" look="primary" disabled={isBackwards}>
                Show these
              </Button>
            </form>
          </>
        )}
      </div>
    </>
  );
}

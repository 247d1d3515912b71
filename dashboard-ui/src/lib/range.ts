/** Between which times the runs of a list were started. */
import { span } from "./search";

/** Spans that people ask for, as the search writes them. */
export const SPANS: [text: string, label: string][] = [
  ["15m", "15 minutes"],
  ["1h", "hour"],
  ["24h", "24 hours"],
  ["7d", "7 days"],
  ["30d", "30 days"],
];

/** Times that do not move, in milliseconds since 1970. */
export interface Between {
  from?: number;
  to?: number;
}

/** What the button says. */
export function rangeLabel(
  newer: string | undefined,
  between: Between,
  at: (ms: number) => string,
) {
  const { from, to } = between;
  if (from !== undefined && to !== undefined) return `${at(from)} – ${at(to)}`;
  if (from !== undefined) return `Since ${at(from)}`;
  if (to !== undefined) return `Until ${at(to)}`;
  if (newer === undefined || span(newer) === undefined) return "Any time";
  const known = SPANS.find(([text]) => text === newer);
  return `Last ${known?.[1] ?? newer}`;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** A time as a field for date and time has it, by the clock of its zone. */
export function toField(ms: number | undefined, zone: "local" | "utc"): string {
  if (ms === undefined) return "";
  const it = new Date(ms);
  if (zone === "utc") return it.toISOString().slice(0, 16);
  const date = [it.getFullYear(), two(it.getMonth() + 1), two(it.getDate())].join("-");
  return `${date}T${two(it.getHours())}:${two(it.getMinutes())}`;
}

/** The other way round; `undefined` for what is no time. */
export function fromField(text: string, zone: "local" | "utc"): number | undefined {
  if (text === "") return undefined;
  const ms = new Date(zone === "utc" ? `${text}Z` : text).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

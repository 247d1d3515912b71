const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span for people: its two largest units, such as `2 h 4 m`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return "";
  if (ms < 0) return duration(0);
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  const rounded = Math.round(ms / SECOND) * SECOND;
  if (rounded < MINUTE) return `${rounded / SECOND} s`;
  if (rounded < HOUR) return two(rounded, MINUTE, "m", SECOND, "s");
  if (rounded < DAY) return two(rounded, HOUR, "h", MINUTE, "m");
  return two(rounded, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string) {
  const whole = Math.floor(ms / large);
  const rest = Math.floor((ms % large) / small);
  return rest === 0 ? `${whole} ${largeName}` : `${whole} ${largeName} ${rest} ${smallName}`;
}

/** How times are shown: as the reader's clock has them, or in UTC. */
export type Zone = "local" | "utc";

const zoneOf = (zone: Zone) => (zone === "utc" ? "UTC" : undefined);
const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, kind: string, options: Intl.DateTimeFormatOptions) {
  const key = `${zone} ${kind}`;
  let found = formats.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat(undefined, { ...options, timeZone: zoneOf(zone) });
    formats.set(key, found);
  }
  return found;
}

const TIME: Intl.DateTimeFormatOptions = {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
};
const DATE: Intl.DateTimeFormatOptions = { month: "short", day: "numeric" };

/** The time of day, with the date where it is not today's. */
export function clock(at: number, zone: Zone, now: number): string {
  const day = format(zone, "day", { year: "numeric", month: "numeric", day: "numeric" });
  const time = format(zone, "time", TIME).format(at);
  if (day.format(at) === day.format(now)) return time;
  return `${format(zone, "date", DATE).format(at)}, ${time}`;
}

/** The whole point in time, with milliseconds, for titles and details. */
export function exact(at: number, zone: Zone): string {
  const options = { ...TIME, ...DATE, year: "numeric", fractionalSecondDigits: 3 } as const;
  const text = format(zone, "exact", options as Intl.DateTimeFormatOptions).format(at);
  return zone === "utc" ? `${text} UTC` : text;
}

const numbers = new Intl.NumberFormat();

/** A number with separators. */
export const count = (n: number): string => numbers.format(n);

/** `1 run`, `2 runs`. */
export const plural = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;

/** A size: `70 kB`. */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1_000).toFixed(n < 10_000 ? 1 : 0)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/**
 * The grammar of the search box. A query is a list of tokens:
 *
 * - `status:failed,dead` or `is:failed`: these statuses; several tokens add up
 * - `workflow:checkout`, `tag:web`: exactly this one
 * - `parent:order-7`: started by this run
 * - `id:order-7` or a bare word: ids that begin so
 * - `namespace:acme`: in this namespace
 * - `attr:total:gte:100`: with such a search attribute, as `key:op:value`; several all hold
 * - `newer:1h`, `older:2d`: started within or before that time
 * - `has:children`, `has:parent`: that have started others, that another one has started
 * - `-status:dead`, `-workflow:a`, `-tag:web`, `-namespace:acme`, `-has:parent`: those without it
 * - quotes keep blanks together: `tag:"big customer"`
 */
import { STATUSES } from "./status";

/** What the list is asked for. */
export interface Search {
  statuses: string[];
  workflow?: string;
  tag?: string;
  /** The run that has started them. */
  parent?: string;
  idPrefix?: string;
  /** Started at most so many milliseconds ago. */
  newerMs?: number;
  /** Started at least so many milliseconds ago. */
  olderMs?: number;
  namespace?: string;
  /** Conditions on search attributes, each as `key:op:value`. */
  attributes?: string[];
  notWorkflows?: string[];
  notTags?: string[];
  notNamespaces?: string[];
  hasChildren?: boolean;
  hasParent?: boolean;
  /** Started then or later, in milliseconds since 1970; the address says it. */
  from?: number;
  to?: number;
}

/** A part of a query, with its place in the text. */
export interface Token {
  key: string;
  value: string;
  from: number;
  to: number;
  problem?: string;
}

export interface ParsedSearch {
  search: Search;
  tokens: Token[];
  /** The first token that cannot be understood. */
  problem?: Token;
}

export const KEYS = [
  "status",
  "workflow",
  "tag",
  "parent",
  "id",
  "newer",
  "older",
  "attr",
  "namespace",
  "has",
] as const;

const GROUPS = new Map<string, string[]>(
  Object.entries({
    active: ["pending", "running", "suspended", "cancelling"],
    waiting: ["suspended"],
    broken: ["failed", "dead", "blocked", "compensation_failed"],
    ended: ["completed", "failed", "cancelled", "dead", "compensation_failed"],
  }),
);

const TOKEN = /\s*(?:(-?\w+):)?(?:"([^"]*)("|$)|([^\s"]+)|(?=\s|$))/y;

/** Cuts a query into tokens. */
function cut(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length && text.slice(at).trim() !== "") {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    const blanks = /\s*/.exec(text.slice(at))![0].length;
    if (found === null || found[0].trim() === "") {
      const token = { key: "", value: text.slice(at), from: at + blanks, to: text.length };
      tokens.push({ ...token, problem: "cannot be read" });
      break;
    }
    const value = found[2] ?? found[4] ?? "";
    const token: Token = {
      key: found[1]?.toLowerCase() ?? "",
      value,
      from: at + blanks,
      to: TOKEN.lastIndex,
    };
    if (found[2] !== undefined && found[3] !== '"') token.problem = "the quote is not closed";
    tokens.push(token);
    at = TOKEN.lastIndex;
  }
  return tokens;
}

/** A condition on a search attribute: key, word, value. */
const CONDITION = /^([^:]+):(eq|ne|gte?|lte?):(.+)$/s;

const UNITS: Record<string, number> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `15m`, `1h`, `2d`, `1w` in milliseconds. */
export function span(text: string): number | undefined {
  const found = /^(\d{1,6})([smhdw])$/.exec(text);
  return found === null ? undefined : Number(found[1]) * UNITS[found[2]!]!;
}

/** Reads a query. What can be understood counts, whatever else stands in it. */
export function parseSearch(text: string): ParsedSearch {
  const search: Search = { statuses: [] };
  const not: string[] = [];
  const tokens = cut(text).map((token) => {
    const problem =
      token.problem ??
      take(search, not, token) ??
      (leftOf(search.statuses, not) === undefined ? "it leaves no status" : undefined);
    return problem === undefined ? token : { ...token, problem };
  });
  // A search that leaves none has a problem; until that is mended all of it counts.
  search.statuses = leftOf(search.statuses, not) ?? search.statuses;
  const problem = tokens.find((token) => token.problem !== undefined);
  return problem === undefined ? { search, tokens } : { search, tokens, problem };
}

/** What is left of the statuses that are asked for; `undefined` if nothing is. */
function leftOf(asked: string[], not: string[]): string[] | undefined {
  if (not.length === 0) return asked;
  const left = (asked.length === 0 ? [...STATUSES] : asked).filter((it) => !not.includes(it));
  return left.length === 0 ? undefined : left;
}

/** The most that can be left out. */
const MOST_NOT = 16;

const NOT = {
  "-workflow": "notWorkflows",
  "-tag": "notTags",
  "-namespace": "notNamespaces",
} as const;

/** Adds a token to the search, or to the statuses to leave out; returns what is wrong with it. */
function take(search: Search, not: string[], { key, value }: Token): string | undefined {
  if (value === "") return `nothing stands behind \`${key}:\``;
  switch (key) {
    case "status":
    case "is":
      return takeStatuses(search.statuses, value);
    case "-status":
    case "-is":
      return takeStatuses(not, value);
    case "has":
    case "-has": {
      const field = HAS.get(value.toLowerCase());
      if (field === undefined) return "a run has `children` or a `parent`";
      if (search[field] !== undefined) return "it may stand once";
      search[field] = key === "has";
      return undefined;
    }
    case "-workflow":
    case "-tag":
    case "-namespace": {
      const all = Object.values(NOT).flatMap((field) => search[field] ?? []);
      if (all.length === MOST_NOT) return `no more than ${MOST_NOT} can be left out`;
      search[NOT[key]] = [...(search[NOT[key]] ?? []), value];
      return undefined;
    }
    case "attr":
      if (!CONDITION.test(value)) {
        return "an attribute is asked for as `key:op:value`, with eq, ne, gt, gte, lt or lte";
      }
      search.attributes = [...(search.attributes ?? []), value];
      return undefined;
    case "namespace":
    case "workflow":
    case "tag":
    case "parent":
      if (search[key] !== undefined) return `\`${key}:\` may stand once`;
      search[key] = value;
      return undefined;
    case "id":
    case "":
      if (search.idPrefix !== undefined) return "one id at a time";
      search.idPrefix = value;
      return undefined;
    case "newer":
    case "older": {
      const ms = span(value);
      if (ms === undefined) return "a time is a number with s, m, h, d or w, such as 2h";
      if (key === "newer") search.newerMs = ms;
      else search.olderMs = ms;
      return undefined;
    }
    default:
      return `\`${key}:\` is not known; known are ${KEYS.map((it) => `${it}:`).join(" ")}`;
  }
}

const HAS = new Map<string, "hasChildren" | "hasParent">([
  ["children", "hasChildren"],
  ["parent", "hasParent"],
]);

function takeStatuses(statuses: string[], value: string): string | undefined {
  for (const word of value.toLowerCase().split(",")) {
    const meant = GROUPS.get(word) ?? (STATUSES.includes(word as never) ? [word] : undefined);
    if (meant === undefined) return `\`${word}\` is no status`;
    for (const status of meant) {
      if (!statuses.includes(status)) statuses.push(status);
    }
  }
  return undefined;
}

const quote = (value: string) => (/[\s"]/.test(value) ? `"${value.replaceAll('"', "")}"` : value);

/** What the API takes in words alone: what is left out, and what runs have. */
export function wordsOf(search: Search): string | undefined {
  const words = Object.entries(NOT).flatMap(([key, field]) =>
    (search[field] ?? []).map((value) => token(key, value)),
  );
  for (const [value, field] of HAS) {
    const has = search[field];
    if (has !== undefined) words.push(token(has ? "has" : "-has", value));
  }
  return words.length === 0 ? undefined : words.join(" ");
}

/** One token as it is written. */
export const token = (key: string, value: string): string => `${key}:${quote(value)}`;

/** The same query without the tokens of some keys. */
export function without(text: string, ...keys: string[]): string {
  const kept = cut(text).filter((it) => !keys.includes(it.key));
  return kept.map((it) => text.slice(it.from, it.to)).join(" ");
}

/** The same query with one more token, in place of those of the same key. */
export function withToken(text: string, key: string, value: string): string {
  return `${without(text, key)} ${token(key, value)}`.trim();
}

/** The same query with these statuses, and no others. */
export function withStatuses(text: string, statuses: string[]): string {
  const rest = without(text, "status", "is", "-status", "-is");
  return statuses.length === 0 ? rest : `${token("status", statuses.join(","))} ${rest}`.trim();
}

/** What a list row must have for {@link matches}. */
export interface Searchable {
  id: string;
  status: string;
  workflow: string;
  tags: string[];
  parent?: string | null;
  created_at: number;
  namespace?: string | null;
  attributes?: Record<string, unknown>;
}

/** Whether a run has such an attribute. One of another kind does not match. */
function holds(condition: string, attributes: Record<string, unknown> = {}): boolean {
  const [, key = "", op = "", text = ""] = CONDITION.exec(condition) ?? [];
  let value: unknown = text;
  try {
    const read: unknown = JSON.parse(text);
    if (["number", "boolean", "string"].includes(typeof read)) value = read;
  } catch {
    // A text.
  }
  const found = attributes[key] as number;
  if (typeof found !== typeof value) return false;
  const asked = value as number;
  if (op === "eq") return found === asked;
  if (op === "ne") return found !== asked;
  if (op === "gt") return found > asked;
  if (op === "gte") return found >= asked;
  return op === "lt" ? found < asked : found <= asked;
}

/** Whether a run is one that the search is about, as far as its row tells: not of its children. */
export function matches(search: Search, run: Searchable, now: number): boolean {
  return (
    (search.statuses.length === 0 || search.statuses.includes(run.status)) &&
    (search.workflow === undefined || search.workflow === run.workflow) &&
    (search.tag === undefined || run.tags.includes(search.tag)) &&
    (search.parent === undefined || run.parent === search.parent) &&
    (search.idPrefix === undefined || run.id.startsWith(search.idPrefix)) &&
    (search.from === undefined || run.created_at >= search.from) &&
    (search.to === undefined || run.created_at <= search.to) &&
    (search.newerMs === undefined || run.created_at >= now - search.newerMs) &&
    (search.olderMs === undefined || run.created_at <= now - search.olderMs) &&
    (search.namespace === undefined || search.namespace === run.namespace) &&
    (search.attributes ?? []).every((it) => holds(it, run.attributes)) &&
    !(search.notWorkflows ?? []).includes(run.workflow) &&
    !(search.notTags ?? []).some((tag) => run.tags.includes(tag)) &&
    !(search.notNamespaces ?? []).includes(run.namespace ?? "") &&
    (search.hasParent === undefined || search.hasParent === (run.parent != null))
  );
}

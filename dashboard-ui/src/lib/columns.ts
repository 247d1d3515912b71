/** The columns of the list of runs, and which of them somebody wants to see. */

interface Column {
  id: string;
  label: string;
  /** A track of the grid. */
  width: string;
  /** It is always there: a row without it says nothing. */
  isFixed?: boolean;
  /** It is there until somebody hides it. */
  isUsual?: boolean;
}

/** All of them, from left to right. */
export const COLUMNS = [
  { id: "status", label: "Status", width: "minmax(140px,170px)", isFixed: true },
  { id: "workflow", label: "Workflow", width: "minmax(100px,0.8fr)", isUsual: true },
  { id: "run", label: "Run", width: "minmax(130px,1fr)", isFixed: true },
  { id: "why", label: "Waiting on / result", width: "minmax(150px,2.6fr)", isUsual: true },
  { id: "namespace", label: "Namespace", width: "minmax(80px,0.6fr)" },
  { id: "parent", label: "Parent", width: "minmax(110px,0.9fr)" },
  { id: "owner", label: "Held by", width: "84px" },
  { id: "started", label: "Started", width: "130px", isUsual: true },
  { id: "changed", label: "Changed", width: "130px" },
  { id: "ended", label: "Ended", width: "130px" },
  { id: "took", label: "Took", width: "84px", isUsual: true },
] as const satisfies readonly Column[];

export type ColumnId = (typeof COLUMNS)[number]["id"];

const all: readonly Column[] = COLUMNS;

const pick = (is: (column: Column) => boolean): ColumnId[] =>
  all.filter(is).map((it) => it.id as ColumnId);

export const USUAL = pick((it) => it.isFixed === true || it.isUsual === true);

/** Those that can be hidden and shown. */
export const CHOICES = all.filter((it) => !it.isFixed) as readonly (Column & { id: ColumnId })[];

/** Reads a choice such as `workflow,took`; what is always there is there anyway. */
export function readColumns(text: string | undefined): ColumnId[] {
  if (text === undefined) return USUAL;
  const wanted = new Set(text.split(","));
  return pick((it) => it.isFixed === true || wanted.has(it.id));
}

/** Writes a choice; `undefined` if it is the usual one. */
export function writeColumns(chosen: readonly ColumnId[]): string | undefined {
  const text = CHOICES.filter((it) => chosen.includes(it.id)).map((it) => it.id);
  const usual = CHOICES.filter((it) => USUAL.includes(it.id)).map((it) => it.id);
  if (text.join() === usual.join()) return undefined;
  // An empty choice is one too.
  return text.length === 0 ? "none" : text.join(",");
}

/** Gaps between columns, and what stands left and right of a row, in pixels. */
const GAP = 12;

/** The least width of the rows, in pixels: in less room they are scrolled sideways as a whole. */
export function leastWidth(chosen: readonly ColumnId[]): number {
  const widths = COLUMNS.filter((it) => chosen.includes(it.id)).map((it) =>
    Number(/(\d+)px/.exec(it.width)![1]),
  );
  return widths.reduce((sum, width) => sum + width + GAP, 28 + 2 * GAP);
}

/** The grid of the rows: a place for the check box, then the columns. */
export const tracks = (chosen: readonly ColumnId[]): string =>
  ["28px", ...COLUMNS.filter((it) => chosen.includes(it.id)).map((it) => it.width)].join(" ");

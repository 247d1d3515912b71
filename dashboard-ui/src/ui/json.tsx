/** JSON for people: a tree that opens, drawn only as far as it is seen. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronDown, ChevronRight, Download, Lock, Scissors } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { bytes, plural } from "../lib/format";
import { CopyButton, cx } from "./kit";

interface Line {
  path: string;
  depth: number;
  name: string | undefined;
  value: unknown;
  /** Parts below, for objects and lists. */
  size: number | undefined;
  isOpen: boolean;
}

/** Levels that are open at first. */
const OPEN_DEPTH = 2;
/** Longer lists begin closed below the first level. */
const LONG = 50;
/** Lines of this height each. */
const LINE = 24;

const isTree = (value: unknown): value is object => typeof value === "object" && value !== null;

function lines(value: unknown, toggled: ReadonlySet<string>): Line[] {
  const all: Line[] = [];
  const add = (it: unknown, name: string | undefined, path: string, depth: number): void => {
    const parts = isTree(it) ? Object.entries(it) : undefined;
    const byDefault = depth < OPEN_DEPTH && (depth === 0 || (parts?.length ?? 0) <= LONG);
    const isOpen = parts !== undefined && byDefault !== toggled.has(path);
    all.push({ path, depth, name, value: it, size: parts?.length, isOpen });
    if (!isOpen || parts === undefined) return;
    for (const [key, part] of parts) add(part, key, `${path}/${key}`, depth + 1);
  };
  add(value, undefined, "", 0);
  return all;
}

/** What the server sends in place of a value that it does not show. */
function standIn(
  value: unknown,
): { icon: typeof Lock; text: string; preview?: string } | undefined {
  if (!isTree(value) || Object.keys(value).length > 3) return undefined;
  const it = value as {
    hidden?: true;
    truncated?: true;
    opaque?: true;
    bytes?: number;
    preview?: string;
  };
  if (typeof it.bytes !== "number") return undefined;
  if (it.hidden === true) return { icon: Lock, text: `${bytes(it.bytes)}, not shown to you` };
  if (it.truncated === true) {
    const { preview } = it;
    if (typeof preview !== "string") {
      return { icon: Scissors, text: `${bytes(it.bytes)}, too large to show` };
    }
    const shown = bytes(new Blob([preview]).size);
    return { icon: Scissors, text: `${bytes(it.bytes)}, of which the first ${shown}`, preview };
  }
  if (it.opaque === true) return { icon: Lock, text: `${bytes(it.bytes)}, sealed by a codec` };
  return undefined;
}

function Scalar({ value }: { value: unknown }) {
  if (typeof value === "string") {
    return (
      <span className="whitespace-pre-wrap break-words">
        <span className="text-dim">"</span>
        {value}
        <span className="text-dim">"</span>
      </span>
    );
  }
  return <span className="font-medium text-accent">{String(value)}</span>;
}

export function Json({
  value,
  label,
  file,
}: {
  value: unknown;
  label: string;
  /** Where the whole of it can be had. */
  file?: string;
}) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const all = useMemo(() => lines(value, toggled), [value, toggled]);
  const box = useRef<HTMLDivElement>(null);
  const isLong = all.length > 200;
  const rows = useVirtualizer({
    count: all.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE,
    overscan: 20,
    enabled: isLong,
  });
  const hidden = standIn(value);
  if (hidden !== undefined) {
    const Icon = hidden.icon;
    return (
      <div className="rounded-card border border-line bg-raised text-dim">
        <p className="flex items-center gap-2 px-3 py-2">
          <Icon aria-hidden size={14} className="shrink-0" />
          <span className="min-w-0 flex-1">{hidden.text}</span>
          {hidden.icon === Scissors && file !== undefined && (
            <a href={file} download className="inline-flex items-center gap-1 underline">
              <Download aria-hidden size={13} />
              Download
            </a>
          )}
        </p>
        {hidden.preview !== undefined && (
          <pre
            role="group"
            aria-label={`How ${label} begins`}
            tabIndex={0}
            className="max-h-[50vh] overflow-auto border-t border-line px-3 py-2 font-mono text-dense break-all whitespace-pre-wrap text-ink"
          >
            {hidden.preview}…
          </pre>
        )}
      </div>
    );
  }
  const toggle = (path: string) =>
    setToggled((known) => {
      const next = new Set(known);
      if (!next.delete(path)) next.add(path);
      return next;
    });
  const draw = (line: Line) => <JsonLine key={line.path} line={line} onToggle={toggle} />;
  return (
    <div className="group relative rounded-card border border-line bg-raised">
      <div className="absolute top-1 right-1 z-10 rounded-control bg-raised opacity-60 group-hover:opacity-100 group-focus-within:opacity-100">
        <CopyButton label={`Copy ${label}`} text={JSON.stringify(value, null, 2)} />
      </div>
      <div
        ref={box}
        role="group"
        aria-label={label}
        tabIndex={0}
        className="max-h-[50vh] overflow-auto py-2 pr-9 font-mono text-dense"
      >
        {isLong ? (
          <div className="relative" style={{ height: rows.getTotalSize() }}>
            {rows.getVirtualItems().map((row) => (
              <div
                key={row.key}
                data-index={row.index}
                ref={rows.measureElement}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${row.start}px)` }}
              >
                {draw(all[row.index]!)}
              </div>
            ))}
          </div>
        ) : (
          all.map(draw)
        )}
      </div>
    </div>
  );
}

function JsonLine({ line, onToggle }: { line: Line; onToggle: (path: string) => void }) {
  const { path, depth, name, value, size, isOpen } = line;
  const Chevron = isOpen ? ChevronDown : ChevronRight;
  const brackets = Array.isArray(value) ? "[ ]" : "{ }";
  return (
    <div
      className="flex min-h-6 items-start leading-6 pr-2"
      style={{ paddingLeft: 2 + depth * 16 }}
    >
      {size === undefined || size === 0 ? (
        <span className="w-6 shrink-0" />
      ) : (
        <button
          type="button"
          aria-expanded={isOpen}
          aria-label={`${name ?? "value"}, ${plural(size, "part")}`}
          onClick={() => onToggle(path)}
          className="flex size-6 shrink-0 items-center justify-center rounded-control text-dim hover:text-ink"
        >
          <Chevron aria-hidden size={13} />
        </button>
      )}
      <span className={cx("min-w-0", size === undefined && "break-words")}>
        {name !== undefined && <span className="text-dim">{name}: </span>}
        {size === undefined ? (
          <Scalar value={value} />
        ) : isOpen ? (
          <span className="text-dim">{brackets[0]}</span>
        ) : (
          <span className="text-dim">
            {size === 0 ? brackets.replace(" ", "") : `${brackets[0]} … ${brackets[2]}`}
            {size > 0 && <span className="ml-1 text-meta">{plural(size, "part")}</span>}
          </span>
        )}
      </span>
    </div>
  );
}

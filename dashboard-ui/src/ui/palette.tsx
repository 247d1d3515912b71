/** One box for everything: pages, runs by id, workflows to start. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  Activity,
  Bug,
  CornerDownLeft,
  Cpu,
  Gauge,
  type LucideIcon,
  Play,
  Search,
  Server,
  SunMoon,
  Workflow,
} from "lucide-react";
import { useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react";
import { durable } from "../api/client";
import { useMay, workflowsQuery } from "../api/queries";
import { toggleTheme } from "../lib/settings";
import { runLook } from "../lib/status";
import { cx, Kbd, LookIcon } from "./kit";

interface Entry {
  key: string;
  label: string;
  hint?: string;
  icon?: LucideIcon;
  display?: string;
  go: () => void;
}

export default function Palette({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useId();
  const asked = text.trim();
  // Answers may come later; what is shown always fits what is written.
  const looked = useDeferredValue(asked);
  const may = useMay();
  const { data: workflows = [] } = useQuery(workflowsQuery);
  const { data: runs } = useQuery({
    queryKey: ["palette", looked],
    queryFn: ({ signal }) => durable.runs({ id_prefix: looked || undefined, limit: 6 }, signal),
    placeholderData: (known) => known,
    staleTime: 2_000,
  });
  useEffect(() => {
    if (dialog.current && !dialog.current.open) dialog.current.showModal();
  }, []);

  const entries = useMemo((): Entry[] => {
    const pages: Entry[] = [
      { key: "overview", label: "Overview", icon: Gauge, go: () => void navigate({ to: "/" }) },
      { key: "runs", label: "Runs", icon: Activity, go: () => void navigate({ to: "/runs" }) },
      {
        key: "broken",
        label: "Runs that need attention",
        icon: Activity,
        go: () => void navigate({ to: "/runs", search: { q: "is:broken" } }),
      },
      {
        key: "workflows",
        label: "Workflows",
        icon: Workflow,
        go: () => void navigate({ to: "/workflows" }),
      },
      { key: "workers", label: "Workers", icon: Cpu, go: () => void navigate({ to: "/workers" }) },
      { key: "errors", label: "Errors", icon: Bug, go: () => void navigate({ to: "/errors" }) },
      { key: "system", label: "System", icon: Server, go: () => void navigate({ to: "/system" }) },
      { key: "theme", label: "Light or dark", icon: SunMoon, go: toggleTheme },
    ];
    const starts: Entry[] = may.act
      ? workflows.map(({ name }) => ({
          key: `start ${name}`,
          label: `Start ${name}`,
          icon: Play,
          go: () => void navigate({ to: "/runs/new", search: { workflow: name } }),
        }))
      : [];
    const flows: Entry[] = workflows.map(({ name }) => ({
      key: `flow ${name}`,
      label: name,
      hint: "workflow",
      icon: Workflow,
      go: () => void navigate({ to: "/workflows/$name", params: { name } }),
    }));
    const words = asked.toLowerCase().split(/\s+/);
    const fits = (entry: Entry) =>
      words.every((word) => `${entry.label} ${entry.hint ?? ""}`.toLowerCase().includes(word));
    const known = (runs?.runs ?? []).filter((run) => run.id.startsWith(asked));
    const found: Entry[] = known.map((run) => ({
      key: `run ${run.id}`,
      label: run.id,
      hint: run.workflow,
      display: run.display,
      go: () => void navigate({ to: "/runs/$id", params: { id: run.id } }),
    }));
    const search: Entry[] =
      asked === ""
        ? []
        : [
            {
              key: "search",
              label: `Search runs for ${asked}`,
              icon: Search,
              go: () => void navigate({ to: "/runs", search: { q: asked } }),
            },
          ];
    const named = [...pages, ...starts, ...flows].filter(fits);
    return asked === "" ? [...named.slice(0, 12), ...found] : [...named, ...found, ...search];
  }, [asked, may.act, navigate, runs, workflows]);

  const shown = Math.min(at, entries.length - 1);
  const pick = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    dialog.current?.close();
    entry.go();
  };
  return (
    <dialog
      ref={dialog}
      aria-label="Search or jump"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
      className="rise mx-auto mt-[12vh] mb-auto w-[calc(100vw-24px)] max-w-xl rounded-dialog border border-line bg-page p-0 shadow-[var(--shadow)]"
    >
      <div className="flex items-center gap-2 border-b border-line px-3">
        <Search aria-hidden size={16} className="shrink-0 text-dim" />
        <input
          role="combobox"
          aria-label="Search or jump"
          aria-expanded
          aria-controls={list}
          aria-activedescendant={entries[shown] && `${list}-${shown}`}
          value={text}
          placeholder="A page, a workflow, a run's id…"
          className="h-11 w-full bg-transparent text-h2 outline-none"
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (step !== 0) {
              event.preventDefault();
              setAt((shown + step + entries.length) % Math.max(1, entries.length));
            } else if (event.key === "Enter") {
              event.preventDefault();
              pick(entries[shown]);
            }
          }}
        />
      </div>
      <div
        id={list}
        role="listbox"
        aria-label="Results"
        className="max-h-[50vh] overflow-y-auto p-1.5"
      >
        {entries.map((entry, index) => {
          const Icon = entry.icon;
          return (
            <div
              key={entry.key}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === shown}
              ref={(row) => {
                if (index === shown) row?.scrollIntoView({ block: "nearest" });
              }}
              onClick={() => pick(entry)}
              onMouseMove={() => setAt(index)}
              className={cx(
                "flex h-9 cursor-pointer items-center gap-2.5 rounded-control px-2.5",
                index === shown && "bg-raised",
              )}
            >
              {Icon && <Icon aria-hidden size={15} className="shrink-0 text-dim" />}
              {entry.display !== undefined && <LookIcon look={runLook(entry.display)} />}
              <span
                className={cx("truncate", entry.display !== undefined && "font-mono text-dense")}
              >
                {entry.label}
              </span>
              {entry.hint && <span className="text-dense text-dim">{entry.hint}</span>}
              {index === shown && (
                <CornerDownLeft aria-hidden size={13} className="ml-auto shrink-0 text-dim" />
              )}
            </div>
          );
        })}
        {entries.length === 0 && <p className="px-3 py-6 text-center text-dim">Nothing found.</p>}
      </div>
      <p className="flex gap-3 border-t border-line px-3 py-1.5 text-meta text-dim">
        <span>
          <Kbd>↑</Kbd> <Kbd>↓</Kbd> choose
        </span>
        <span>
          <Kbd>Enter</Kbd> go
        </span>
        <span>
          <Kbd>Esc</Kbd> close
        </span>
      </p>
    </dialog>
  );
}

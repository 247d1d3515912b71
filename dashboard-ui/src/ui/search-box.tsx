/** The search box of the list, with what may be written into it. */
import { useQuery } from "@tanstack/react-query";
import { Search, X } from "lucide-react";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { facetsQuery } from "../api/queries";
import { count } from "../lib/format";
import { useKeys } from "../lib/keys";
import { type Search as Asked, KEYS, type ParsedSearch, parseSearch, token } from "../lib/search";
import { STATUSES } from "../lib/status";
import { cx } from "./kit";

/** What is typed is searched for after this rest. */
const REST_MS = 250;

/** Whatever is searched for: what might be. */
const ALL: Asked = { statuses: [] };

/** What can be left out. */
const NEGATED = ["status", "workflow", "tag", "namespace", "has"] as const;

/** A list that is longer is no help. */
const MOST_OPTIONS = 12;

const HINTS: Record<(typeof KEYS)[number], string> = {
  status: "failed, running, waiting, broken…",
  workflow: "its exact name",
  tag: "one of its tags",
  parent: "the id of the run that started it",
  id: "how the id begins",
  newer: "started within, such as 2h",
  older: "started before, such as 1d",
  attr: "a search attribute, such as total:gte:100",
  namespace: "its namespace",
  has: "children or a parent",
};

export function SearchBox({
  q,
  parsed,
  onSearch,
}: {
  q: string;
  parsed: ParsedSearch;
  onSearch: (q: string) => void;
}) {
  const [text, setText] = useState(q);
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const list = useId();
  const { data: facets } = useQuery({ ...facetsQuery(ALL), enabled: isOpen });
  const written = useRef(q);
  useEffect(() => {
    if (q === written.current) return;
    written.current = q;
    // Whoever has picked something meanwhile wants that, and not what was being typed.
    clearTimeout(timer.current);
    setText(q);
  }, [q]);
  const keys = useMemo(
    () => ({
      "/": () => {
        input.current?.focus();
        input.current?.select();
      },
    }),
    [],
  );
  useKeys(keys);

  const say = (next: string, now = false) => {
    setText(next);
    clearTimeout(timer.current);
    const send = () => {
      written.current = next.trim();
      onSearch(next.trim());
    };
    if (now) send();
    else timer.current = setTimeout(send, REST_MS);
  };

  // What stands behind the last blank is what is being written.
  const word = /\S*$/.exec(text)![0];
  const options = useMemo(() => {
    const [key, start] = word.includes(":")
      ? [word.slice(0, word.indexOf(":")), word.slice(word.indexOf(":") + 1)]
      : [undefined, word];
    const begins = (value: string) => value.toLowerCase().startsWith(start.toLowerCase());
    if (key === undefined && start.startsWith("-")) {
      const found = NEGATED.filter((it) => `-${it}`.startsWith(start.toLowerCase()));
      return found.map((it) => ({ text: `-${it}:`, hint: `without: ${HINTS[it]}` }));
    }
    if (key === undefined) {
      return KEYS.filter(begins).map((it) => ({ text: `${it}:`, hint: HINTS[it] }));
    }
    const bare = key.replace(/^-/, "");
    const counts = (facets?.statuses ?? {}) as Record<string, number>;
    if (bare === "has") {
      return ["children", "parent"]
        .filter(begins)
        .map((it) => ({ text: `${key}:${it} `, hint: "" }));
    }
    if (bare === "status" || bare === "is") {
      return [...STATUSES, "broken", "active"].filter(begins).map((it) => ({
        text: `${key}:${it} `,
        hint: counts[it] === undefined ? "" : count(counts[it]),
      }));
    }
    if (bare === "workflow" || bare === "tag") {
      const values = (bare === "tag" ? facets?.tags : facets?.workflows) ?? [];
      const found = values.filter((it) => begins(it.value)).slice(0, MOST_OPTIONS);
      return found.map((it) => ({ text: `${token(key, it.value)} `, hint: count(it.runs) }));
    }
    if (key === "newer" || key === "older") {
      return ["15m", "1h", "24h", "7d"]
        .filter(begins)
        .map((it) => ({ text: `${key}:${it} `, hint: "" }));
    }
    return [];
  }, [word, facets]);
  const pick = (option: string) => {
    say(text.slice(0, text.length - word.length) + option);
    setAt(-1);
    input.current?.focus();
  };
  const problem = parseSearch(text).problem ?? (text.trim() === q ? parsed.problem : undefined);
  const isShown = isOpen && options.length > 0;
  return (
    <div className="relative min-w-0 flex-1">
      <Search aria-hidden size={14} className="absolute top-2.5 left-2.5 text-dim" />
      <input
        ref={input}
        role="combobox"
        aria-label="Search runs"
        aria-expanded={isShown}
        aria-controls={list}
        aria-activedescendant={at >= 0 ? `${list}-${at}` : undefined}
        aria-invalid={problem !== undefined}
        aria-describedby={problem && `${list}-problem`}
        spellCheck={false}
        autoComplete="off"
        placeholder="status:failed workflow:checkout, or how an id begins"
        className="h-8.5 w-full rounded-control border border-line bg-page pr-8 pl-8 font-mono text-dense aria-invalid:border-failed"
        value={text}
        onFocus={() => setOpen(true)}
        onBlur={() => setTimeout(() => setOpen(false), 120)}
        onChange={(event) => {
          say(event.target.value);
          // Whoever clears the box is done with it: the filters below must not stay covered.
          setOpen(event.target.value !== "");
          setAt(-1);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            event.preventDefault();
            setOpen(true);
            const step = event.key === "ArrowDown" ? 1 : -1;
            setAt((at + step + options.length) % Math.max(1, options.length));
          } else if (event.key === "Enter") {
            const option = isShown ? options[at] : undefined;
            if (option) {
              event.preventDefault();
              pick(option.text);
            } else {
              say(text, true);
              setOpen(false);
            }
          } else if (event.key === "Escape") {
            if (isShown) setOpen(false);
            else input.current?.blur();
          }
        }}
      />
      {text !== "" && (
        <button
          type="button"
          aria-label="Clear the search"
          onClick={() => say("", true)}
          className="absolute top-1 right-1.5 flex size-6.5 items-center justify-center rounded-control text-dim hover:text-ink"
        >
          <X aria-hidden size={14} />
        </button>
      )}
      {problem !== undefined && (
        <p id={`${list}-problem`} role="alert" className="mt-1 text-dense">
          <span className="font-mono underline decoration-failed decoration-wavy">
            {text.slice(problem.from, problem.to) || problem.value}
          </span>
          : {problem.problem}
        </p>
      )}
      {isShown && (
        <div
          id={list}
          role="listbox"
          aria-label="What may be written"
          className="rise absolute top-full z-30 mt-1 max-h-72 w-full max-w-md overflow-y-auto rounded-card border border-line bg-page p-1 shadow-[var(--shadow)]"
        >
          {options.map((option, index) => (
            <div
              key={option.text}
              id={`${list}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => pick(option.text)}
              className={cx(
                "flex h-7 cursor-pointer items-center gap-3 rounded-control px-2 hover:bg-raised",
                index === at && "bg-raised",
              )}
            >
              <span className="font-mono text-dense">{option.text}</span>
              <span className="truncate text-dense text-dim">{option.hint}</span>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

/** The statuses above the list of runs, and what stands in its place if no run matches. */
import { useQuery } from "@tanstack/react-query";
import { SearchX, Shapes } from "lucide-react";
import { facetsQuery } from "../api/queries";
import { count } from "../lib/format";
import { useNow } from "../lib/now";
import type { Between } from "../lib/range";
import { type parseSearch, type Search, without, withStatuses } from "../lib/search";
import { type RunStatus, runLook, STATUSES } from "../lib/status";
import { Button, cx, Empty, LookIcon } from "../ui/kit";

export function StatusFilters({
  search,
  q,
  onSearch,
}: {
  search: Search;
  q: string;
  onSearch: (q: string) => void;
}) {
  const { data: facets } = useQuery(facetsQuery(search));
  const counts = facets?.statuses as Record<string, number> | undefined;
  const isOn = (status: RunStatus) => search.statuses.includes(status);
  const shown = STATUSES.filter(
    (status) =>
      isOn(status) ||
      (counts?.[status] ?? 0) > 0 ||
      !["compensation_failed", "blocked", "paused", "cancelling"].includes(status),
  );
  return (
    <fieldset className="flex min-w-0 gap-1.5 overflow-x-auto p-px">
      <legend className="sr-only">
        Status
        {facets && !facets.is_complete && `, counted over the newest ${count(facets.runs)} runs`}
      </legend>
      {shown.map((status) => (
        <button
          key={status}
          type="button"
          aria-pressed={isOn(status)}
          onClick={() =>
            onSearch(
              withStatuses(
                q,
                isOn(status)
                  ? search.statuses.filter((it) => it !== status)
                  : [...search.statuses, status],
              ),
            )
          }
          className={cx(
            "inline-flex h-7 shrink-0 items-center gap-1.5 rounded-control border px-2 text-dense pointer-coarse:h-9",
            isOn(status)
              ? "border-accent bg-accent-soft font-medium"
              : "border-line hover:bg-raised",
          )}
        >
          <LookIcon look={{ ...runLook(status), spins: false }} />
          {runLook(status).label}
          {counts && <span className="text-dim">{count(counts[status] ?? 0)}</span>}
        </button>
      ))}
      {facets && !facets.is_complete && (
        <span className="self-center whitespace-nowrap text-meta text-dim">
          of the newest {count(facets.runs)}
        </span>
      )}
    </fieldset>
  );
}

export function NothingFound({
  q,
  parsed,
  between: { from, to },
  onSearch,
  onAnyTime,
}: {
  q: string;
  parsed: ReturnType<typeof parseSearch>;
  between: Between;
  onSearch: (q: string) => void;
  onAnyTime: () => void;
}) {
  useNow();
  const isBetween = from !== undefined || to !== undefined;
  if (q === "" && !isBetween) {
    return (
      <Empty icon={Shapes} title="No runs">
        Every run that is started appears here.
      </Empty>
    );
  }
  const keys = [...new Set(parsed.tokens.map((token) => token.key))];
  return (
    <Empty icon={SearchX} title="No run matches">
      <p className="font-mono text-dense">{q}</p>
      <div className="mt-3 flex flex-wrap justify-center gap-2">
        {keys.length > 1 &&
          keys.map((key) => (
            <Button key={key} onClick={() => onSearch(without(q, key))}>
              Without {key === "" ? "the id" : `${key}:`}
            </Button>
          ))}
        {isBetween && <Button onClick={onAnyTime}>At any time</Button>}
        {q !== "" && (
          <Button look="primary" onClick={() => onSearch("")}>
            Show all runs
          </Button>
        )}
      </div>
    </Empty>
  );
}

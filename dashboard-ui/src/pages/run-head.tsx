/** The head of a run's page: what it is, how it stands, where it belongs and what can be done. */
import type { RunSummary } from "@durable/client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  Ban,
  CirclePlay,
  Ellipsis,
  GitBranch,
  GitCompareArrows,
  type LucideIcon,
  Megaphone,
  MessageSquareText,
  OctagonX,
  Pause,
  Play,
  Radio,
  RotateCcw,
  RotateCw,
  StepForward,
  Trash2,
} from "lucide-react";
import { useId, useMemo, useState } from "react";
import { runsQuery, useMay } from "../api/queries";
import type { Ask } from "../lib/allowed";
import { plural } from "../lib/format";
import { token } from "../lib/search";
import { runIsCutOff } from "../lib/status";
import {
  Button,
  CopyButton,
  Dialog,
  Field,
  INPUT,
  PageHead,
  RunState,
  TAG_LINK,
  Tag,
} from "../ui/kit";
import { Ago, At, Took, Until } from "../ui/time";

/** Actions that few need, behind a button. */
const MORE: { ask: Ask; label: string; icon: LucideIcon }[] = [
  { ask: "signal", label: "Send a signal…", icon: Radio },
  { ask: "event", label: "Publish an event…", icon: Megaphone },
  { ask: "update", label: "Send an update…", icon: MessageSquareText },
  { ask: "fork", label: "Fork…", icon: GitBranch },
  { ask: "retry_with_input", label: "Retry with another input…", icon: RotateCcw },
  { ask: "force_fail", label: "Make it fail…", icon: OctagonX },
  { ask: "delete", label: "Delete…", icon: Trash2 },
];

function More({
  can,
  shown,
  onAsk,
}: {
  can: ReadonlySet<Ask>;
  /** What has a button of its own. */
  shown: ReadonlySet<Ask>;
  onAsk: (what: Ask) => void;
}) {
  const menu = useId();
  const offered = MORE.filter((it) => can.has(it.ask) && !shown.has(it.ask));
  if (offered.length === 0) return null;
  return (
    <>
      <Button
        icon={Ellipsis}
        className="more-anchor"
        popoverTarget={menu}
        aria-haspopup="dialog"
        aria-label="More actions"
      />
      <div
        id={menu}
        popover="auto"
        role="dialog"
        aria-label="More actions"
        className="more-menu m-0 w-60 max-w-[calc(100vw-24px)] rounded-card border border-line bg-page p-1 text-ink shadow-[var(--shadow)]"
      >
        {offered.map(({ ask, label, icon: Icon }) => (
          <button
            key={ask}
            type="button"
            className="flex h-8 w-full items-center gap-2 rounded-control px-2 text-left hover:bg-raised"
            onClick={() => {
              document.getElementById(menu)?.hidePopover();
              onAsk(ask);
            }}
          >
            <Icon aria-hidden size={14} className="text-dim" />
            {label}
          </button>
        ))}
      </div>
    </>
  );
}

export function Head({
  run,
  can,
  tokens,
  deadLetter,
  onAsk,
}: {
  run: RunSummary;
  can: ReadonlySet<Ask>;
  tokens: string[];
  /** The run that was started because this one was given up. */
  deadLetter?: string | null;
  onAsk: (what: Ask) => void;
}) {
  const may = useMay();
  // What the run waits for stands first; what may be sent besides is in the menu.
  const shown = new Set<Ask>();
  if (can.has("signal") && tokens.length > 0) shown.add("signal");
  if (can.has("event") && run.display === "waiting_event") shown.add("event");
  if (can.has("update") && run.display === "waiting_update") shown.add("update");
  return (
    <div className="border-b border-line pb-2.5">
      <nav aria-label="Breadcrumb" className="px-4 pt-3 text-dense text-dim">
        <Link to="/runs" className="hover:text-ink hover:underline">
          Runs
        </Link>
        {" / "}
        <Link
          to="/runs"
          search={{ q: token("workflow", run.workflow) }}
          className="hover:text-ink hover:underline"
        >
          {run.workflow}
        </Link>
      </nav>
      <div className="[&>header]:pt-1 [&>header]:pb-1.5">
        <PageHead
          title={run.workflow}
          aside={
            <span className="flex flex-wrap items-center gap-x-3">
              <span className="text-dense">v{run.version}</span>
              <span key={run.display} className="flash rounded-control px-1 text-ink">
                <RunState word={run.display} />
              </span>
              <Since run={run} />
            </span>
          }
        >
          {can.has("continue") && (
            <Button icon={StepForward} look="primary" onClick={() => onAsk("continue")}>
              Continue
            </Button>
          )}
          {shown.has("signal") && (
            <Button icon={Radio} look="primary" onClick={() => onAsk("signal")}>
              Send signal
            </Button>
          )}
          {shown.has("event") && (
            <Button icon={Megaphone} look="primary" onClick={() => onAsk("event")}>
              Publish event
            </Button>
          )}
          {shown.has("update") && (
            <Button icon={MessageSquareText} look="primary" onClick={() => onAsk("update")}>
              Send update
            </Button>
          )}
          {can.has("retry") && (
            <Button icon={RotateCw} look="primary" onClick={() => onAsk("retry")}>
              Retry
            </Button>
          )}
          {can.has("resume") && (
            <Button icon={CirclePlay} look="primary" onClick={() => onAsk("resume")}>
              Resume
            </Button>
          )}
          {can.has("pause") && (
            <Button icon={Pause} onClick={() => onAsk("pause")}>
              Pause
            </Button>
          )}
          {can.has("cancel") && (
            <Button icon={Ban} look="danger" onClick={() => onAsk("cancel")}>
              Cancel
            </Button>
          )}
          {may.act && (
            <Link
              to="/runs/new"
              search={{ workflow: run.workflow, from: run.id }}
              className="inline-flex h-7 items-center gap-1.5 rounded-control border border-line px-2.5 text-dense font-medium hover:bg-raised pointer-coarse:h-9"
            >
              <Play aria-hidden size={14} />
              Run again…
            </Link>
          )}
          <More can={can} shown={shown} onAsk={onAsk} />
        </PageHead>
      </div>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 text-dense text-dim">
        <span className="inline-flex items-center">
          <span className="font-mono text-ink">{run.id}</span>
          <CopyButton text={run.id} label="Copy the id" />
        </span>
        <span>
          started <At at={run.created_at} />
        </span>
        <span>
          {run.finished_at == null ? "for " : "took "}
          <Took from={run.created_at} to={run.finished_at} />
        </span>
        {run.deadline != null && !run.is_terminal && (
          <span>
            cancelled <Until at={run.deadline} />
          </span>
        )}
        {run.priority !== 0 && <span>priority {run.priority}</span>}
        {run.parent != null && <Relative name="parent" id={run.parent} />}
        {deadLetter != null && <Relative name="dead letter" id={deadLetter} />}
        {run.next != null && <Relative name="continued as" id={run.next} />}
        {run.recoveries > 0 && <span>{plural(run.recoveries, "recovery", "recoveries")}</span>}
        {run.owner != null && !run.is_terminal && (
          <span title={run.owner}>
            held by <span className="font-mono">{run.owner.slice(0, 8)}</span>
          </span>
        )}
        <span className="flex flex-wrap gap-1">
          {run.tags.map((tag) => (
            <Tag key={tag} name={tag} href />
          ))}
          {Object.entries(run.attributes).map(([key, value]) => (
            <Link
              key={key}
              to="/runs"
              search={{ q: token("attr", `${key}:eq:${value}`) }}
              className={TAG_LINK}
            >
              {key}={String(value)}
            </Link>
          ))}
        </span>
        <CompareLink run={run} />
      </div>
    </div>
  );
}

/** A run that this one belongs to, or that goes on in its place. */
function Relative({ name, id }: { name: string; id: string }) {
  return (
    <span>
      {name}{" "}
      <Link to="/runs/$id" params={{ id }} className="font-mono text-ink underline">
        {id}
      </Link>
    </span>
  );
}

function CompareLink({ run }: { run: RunSummary }) {
  const [asks, setAsks] = useState(false);
  return (
    <>
      <button
        type="button"
        onClick={() => setAsks(true)}
        className="inline-flex items-center gap-1 hover:text-ink hover:underline"
      >
        <GitCompareArrows aria-hidden size={13} />
        compare…
      </button>
      {asks && <CompareDialog run={run} onClose={() => setAsks(false)} />}
    </>
  );
}

const NEIGHBOURS = 20;

function CompareDialog({ run, onClose }: { run: RunSummary; onClose: () => void }) {
  const navigate = useNavigate();
  const [other, setOther] = useState("");
  const search = useMemo(() => ({ statuses: [], workflow: run.workflow }), [run.workflow]);
  const { data } = useInfiniteQuery(runsQuery(search));
  const near = (data?.pages[0]?.runs ?? []).filter((it) => it.id !== run.id).slice(0, NEIGHBOURS);
  const go = (id: string) => {
    onClose();
    void navigate({ to: "/runs/$id/compare/$other", params: { id: run.id, other: id } });
  };
  return (
    <Dialog title="Compare with another run" onClose={onClose}>
      <form
        className="flex items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (other.trim() !== "") go(other.trim());
        }}
      >
        <div className="min-w-0 flex-1">
          <Field label="The other run's id">
            {(id) => (
              <input
                id={id}
                className={`${INPUT} font-mono text-dense`}
                value={other}
                onChange={(event) => setOther(event.target.value)}
              />
            )}
          </Field>
        </div>
        <Button type="submit" look="primary" className="h-8!">
          Compare
        </Button>
      </form>
      {near.length > 0 && (
        <>
          <h3 className="mt-4 mb-1 text-dense text-dim">The newest of {run.workflow}</h3>
          <ul className="max-h-60 overflow-y-auto">
            {near.map((it) => (
              <li key={it.id}>
                <button
                  type="button"
                  onClick={() => go(it.id)}
                  className="flex h-8 w-full items-center gap-3 rounded-control px-2 text-left hover:bg-raised"
                >
                  <span className="w-40 shrink-0 truncate">
                    <RunState word={it.display} />
                  </span>
                  <span className="truncate font-mono text-dense">{it.id}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}

function Since({ run }: { run: RunSummary }) {
  if (run.is_terminal) {
    return run.finished_at == null ? null : (
      <span className="text-dense">
        <Ago at={run.finished_at} />
      </span>
    );
  }
  return (
    <span className="text-dense">
      {run.reason !== "" && <span className="font-mono">{run.reason}</span>}
      {run.waiting_since != null && (
        <>
          {" since "}
          <Took from={run.waiting_since} />
        </>
      )}
      {run.until != null && (
        <>
          {runIsCutOff(run.display) ? ", times out " : ", "}
          <Until at={run.until} />
        </>
      )}
    </span>
  );
}

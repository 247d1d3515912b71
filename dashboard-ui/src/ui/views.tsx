/** Queries with a name: some that come along, and one's own. */
import { Bookmark, Plus, Trash2 } from "lucide-react";
import { useId, useState } from "react";
import { removeView, saveView, useViews } from "../lib/settings";
import { Button, cx, IconButton, INPUT } from "./kit";

const BUILT_IN = [
  { name: "All", q: "" },
  { name: "Active", q: "is:active" },
  { name: "Needs attention", q: "is:broken" },
  { name: "Failed in 24 h", q: "status:failed newer:24h" },
  { name: "Waiting for over 1 h", q: "is:waiting older:1h" },
];

export function Views({ q, onPick }: { q: string; onPick: (q: string) => void }) {
  const own = useViews();
  const menu = useId();
  const [name, setName] = useState("");
  const pick = (next: string) => {
    onPick(next);
    document.getElementById(menu)?.hidePopover();
  };
  const item = (view: { name: string; q: string }) => (
    <button
      type="button"
      onClick={() => pick(view.q)}
      className={cx(
        "flex h-8 min-w-0 flex-1 items-center justify-between gap-4 rounded-control px-2 text-left hover:bg-raised",
        view.q === q && "bg-accent-soft",
      )}
    >
      <span className="truncate">{view.name}</span>
      <span className="truncate font-mono text-meta text-dim">{view.q}</span>
    </button>
  );
  return (
    <>
      <Button
        icon={Bookmark}
        className="views-anchor h-8.5 pointer-coarse:h-9"
        popoverTarget={menu}
        aria-haspopup="dialog"
      >
        Views
      </Button>
      <div
        id={menu}
        popover="auto"
        role="dialog"
        aria-label="Views"
        className="views-menu m-0 w-80 max-w-[calc(100vw-24px)] rounded-card border border-line bg-page p-1 text-ink shadow-[var(--shadow)]"
      >
        {BUILT_IN.map((view) => (
          <div key={view.name} className="flex">
            {item(view)}
          </div>
        ))}
        {own.length > 0 && <hr className="my-1 border-line" />}
        {own.map((view) => (
          <div key={view.name} className="flex items-center">
            {item(view)}
            <IconButton
              icon={Trash2}
              label={`Remove ${view.name}`}
              onClick={() => removeView(view.name)}
            />
          </div>
        ))}
        {q !== "" && (
          <form
            className="mt-1 flex gap-1 border-t border-line p-1 pt-2"
            onSubmit={(event) => {
              event.preventDefault();
              if (name.trim() === "") return;
              saveView({ name: name.trim(), q });
              setName("");
            }}
          >
            <input
              aria-label="Name of the view"
              placeholder="Keep this search as…"
              className={INPUT}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
            <IconButton icon={Plus} label="Keep" type="submit" />
          </form>
        )}
      </div>
    </>
  );
}

/** Which columns the list of runs has. */
import { Columns3 } from "lucide-react";
import { useId, useState } from "react";
import { CHOICES, type ColumnId, USUAL } from "../lib/columns";
import { Button } from "./kit";

export function Columns({
  chosen,
  onChoose,
}: {
  chosen: readonly ColumnId[];
  onChoose: (chosen: ColumnId[]) => void;
}) {
  const menu = useId();
  // Drawn only while somebody looks: a list of many rows has elements enough.
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button
        icon={Columns3}
        className="columns-anchor hidden! h-8.5 md:inline-flex! pointer-coarse:h-9"
        popoverTarget={menu}
        aria-haspopup="dialog"
        aria-label="Columns"
      />
      <div
        id={menu}
        popover="auto"
        role="dialog"
        aria-label="Columns"
        onToggle={(event) => setOpen(event.newState === "open")}
        className="columns-menu m-0 w-52 rounded-card border border-line bg-page p-1 text-ink shadow-[var(--shadow)]"
      >
        {isOpen &&
          CHOICES.map(({ id, label }) => (
            <label
              key={id}
              className="flex h-8 items-center gap-2 rounded-control px-2 hover:bg-raised"
            >
              <input
                type="checkbox"
                checked={chosen.includes(id)}
                onChange={(event) =>
                  onChoose(
                    event.target.checked ? [...chosen, id] : chosen.filter((it) => it !== id),
                  )
                }
              />
              {label}
            </label>
          ))}
        {isOpen && (
          <Button look="quiet" className="mt-1 w-full" onClick={() => onChoose(USUAL)}>
            The usual ones
          </Button>
        )}
      </div>
    </>
  );
}

import { toggleKeys, useKeysOn } from "../lib/settings";
import { Dialog, Kbd } from "./kit";

const GROUPS: { title: string; keys: [string, string][] }[] = [
  {
    title: "Everywhere",
    keys: [
      ["Ctrl K", "search or jump"],
      ["/", "go to the search box"],
      ["g o", "overview"],
      ["g r", "runs"],
      ["g w", "workflows"],
      ["g k", "workers"],
      ["g e", "errors"],
      ["g s", "system"],
      ["t", "light or dark"],
      [".", "copy the link"],
      ["?", "this list"],
    ],
  },
  {
    title: "In the list of runs",
    keys: [
      ["j / k", "next or previous row"],
      ["Enter", "open the run"],
      ["o", "look at the run beside the list"],
      ["x", "select the row"],
      ["n", "start a run"],
      ["Esc", "close the look, or clear the selection"],
    ],
  },
  {
    title: "On a run",
    keys: [
      ["1 … 7", "timeline, graph, history, logs, input and output, children, audit"],
      ["j / k", "next or previous operation"],
      ["[ / ]", "previous or next failed operation"],
      ["+ / -", "draw the time larger or smaller"],
      ["z", "draw all of it"],
      ["f", "follow the newest operation"],
      ["s", "send a signal"],
      ["u", "send an update"],
      ["r", "retry"],
      ["c", "cancel"],
      ["p", "pause or resume"],
      ["Esc", "close the operation"],
    ],
  },
];

export default function Help({ onClose }: { onClose: () => void }) {
  const isOn = useKeysOn();
  return (
    <Dialog title="Keys" onClose={onClose} wide>
      <div className="grid gap-6 sm:grid-cols-3">
        {GROUPS.map(({ title, keys }) => (
          <section key={title}>
            <h3 className="mb-2 font-medium">{title}</h3>
            <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1.5 text-dense">
              {keys.map(([key, does]) => (
                <div key={key} className="contents">
                  <dt>
                    <Kbd>{key}</Kbd>
                  </dt>
                  <dd className="text-dim">{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="mt-6 flex items-center gap-2">
        <input type="checkbox" checked={isOn} onChange={toggleKeys} />
        Single keys act. <span className="text-dim">They never do while you type.</span>
      </label>
    </Dialog>
  );
}

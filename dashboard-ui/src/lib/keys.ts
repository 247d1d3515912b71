/** Shortcuts of single keys, off while someone types. */
import { useEffect } from "react";
import { areKeysOn } from "./settings";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

/** Where keys are text. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

const isDialogOpen = () => document.querySelector("dialog[open]") !== null;

/** The first key of two, such as `g` of `g r`, counts for so long. */
const CHORD_MS = 1_200;

/** Listens to keys such as `r`, `?` or `g o` while the component is there. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    let first: { key: string; at: number } | undefined;
    const listen = (event: KeyboardEvent) => {
      const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
      if (hasModifier || event.defaultPrevented || isTyping(event.target)) return;
      if (!areKeysOn() || isDialogOpen()) return;
      const chord =
        first !== undefined && event.timeStamp - first.at < CHORD_MS
          ? keys[`${first.key} ${event.key}`]
          : undefined;
      first = { key: event.key, at: event.timeStamp };
      const found = chord ?? keys[event.key];
      if (found === undefined) return;
      event.preventDefault();
      found(event);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [keys]);
}

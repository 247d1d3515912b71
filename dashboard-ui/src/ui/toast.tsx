/** What became of an action: for a moment on screen, and for screen readers. */
import { Check, X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { explainError } from "../api/client";

interface Toast {
  id: number;
  text: string;
  isError: boolean;
}

let toasts: Toast[] = [];
let next = 0;
const listeners = new Set<() => void>();

function set(now: Toast[]): void {
  toasts = now;
  for (const listener of listeners) listener();
}

export function toast(text: string, isError = false): void {
  next += 1;
  set([...toasts.slice(-2), { id: next, text, isError }]);
}

export function toastError(error: unknown): void {
  const { title, detail } = explainError(error);
  toast(`${title}: ${detail}`, true);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

const SHOWN_MS = 6_000;

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  useEffect(() => {
    const oldest = shown[0];
    if (oldest === undefined) return;
    const timer = setTimeout(() => set(toasts.filter((it) => it.id !== oldest.id)), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-0 bottom-16 z-40 flex flex-col items-center gap-2 px-4 md:bottom-6"
    >
      {shown.map((it) => (
        <div
          key={it.id}
          className="rise pointer-events-auto flex max-w-xl items-start gap-2 rounded-card border border-line bg-page px-3 py-2 shadow-[var(--shadow)]"
        >
          {it.isError ? (
            <X aria-hidden size={15} className="mt-0.5 shrink-0 text-failed" />
          ) : (
            <Check aria-hidden size={15} className="mt-0.5 shrink-0 text-completed" />
          )}
          <span>{it.text}</span>
        </div>
      ))}
    </div>
  );
}

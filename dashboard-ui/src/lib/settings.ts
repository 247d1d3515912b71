/** What a reader has chosen, kept in the browser and shared by all tabs. */
import { useSyncExternalStore } from "react";
import { basePath } from "./base";
import type { Zone } from "./format";

export type Theme = "light" | "dark";

const listeners = new Set<() => void>();
const notify = () => {
  for (const listener of listeners) listener();
};

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be off; then the choice lasts as long as the page.
  }
}

const html = document.documentElement;
let zone: Zone = read("durable:zone") === "utc" ? "utc" : "local";

addEventListener("storage", (event) => {
  if (event.key === "durable:theme" && event.newValue !== null) {
    html.dataset.theme = event.newValue;
  }
  if (event.key === "durable:zone") zone = event.newValue === "utc" ? "utc" : "local";
  notify();
});

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useTheme = (): Theme =>
  useSyncExternalStore(subscribe, () => (html.dataset.theme === "dark" ? "dark" : "light"));

export function toggleTheme(): void {
  html.dataset.theme = html.dataset.theme === "dark" ? "light" : "dark";
  write("durable:theme", html.dataset.theme);
  notify();
}

export const useZone = (): Zone => useSyncExternalStore(subscribe, () => zone);

export function toggleZone(): void {
  zone = zone === "utc" ? "local" : "utc";
  write("durable:zone", zone);
  notify();
}

/** A view of the list that someone has named. */
export interface View {
  name: string;
  q: string;
}

const VIEWS = `durable:views:${basePath}`;
let views: View[] = parse(read(VIEWS));

function parse(text: string | null): View[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value)
      ? value.filter((it): it is View => typeof it?.name === "string" && typeof it?.q === "string")
      : [];
  } catch {
    return [];
  }
}

export const useViews = (): View[] => useSyncExternalStore(subscribe, () => views);

export function saveView(view: View): void {
  views = [...views.filter((it) => it.name !== view.name), view];
  write(VIEWS, JSON.stringify(views));
  notify();
}

export function removeView(name: string): void {
  views = views.filter((it) => it.name !== name);
  write(VIEWS, JSON.stringify(views));
  notify();
}

/** The columns of the list that somebody has chosen; `undefined` for the usual ones. */
const COLUMNS = `durable:columns:${basePath}`;
let columns = read(COLUMNS) || undefined;
export const useColumns = (): string | undefined => useSyncExternalStore(subscribe, () => columns);
export function saveColumns(chosen: string | undefined): void {
  columns = chosen;
  write(COLUMNS, chosen ?? "");
  notify();
}

/** Whether the rail of pages shows their shapes alone. */
let isNarrow = read("durable:rail") === "narrow";
export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => isNarrow);
export function toggleNarrow(): void {
  isNarrow = !isNarrow;
  write("durable:rail", isNarrow ? "narrow" : "wide");
  notify();
}

/** Single-key shortcuts can be switched off (WCAG 2.1.4). */
let keysOn = read("durable:keys") !== "off";
export const useKeysOn = (): boolean => useSyncExternalStore(subscribe, () => keysOn);
export const areKeysOn = (): boolean => keysOn;
export function toggleKeys(): void {
  keysOn = !keysOn;
  write("durable:keys", keysOn ? "on" : "off");
  notify();
}

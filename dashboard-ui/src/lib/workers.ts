/** How an instance is doing, as its rows say it. */
import type { Worker } from "@durable/client";

/** `silent`: it holds its lease and has stopped saying how it goes. */
export type Health = "alive" | "silent" | "lost";

/** Instances say how it goes about every 15 s; two of these may be missed. */
const SILENT_MS = 45_000;

type Signs = Pick<Worker, "is_alive" | "lease_until" | "reported_at">;

/** How an instance is doing at a time of the store's clock. */
export function healthOf(worker: Signs, now: number): Health {
  if (!worker.is_alive || worker.lease_until <= now) return "lost";
  const isSilent = worker.reported_at != null && now - worker.reported_at > SILENT_MS;
  return isSilent ? "silent" : "alive";
}

/** Whether instances that live are of more than one build. */
export function mixed(workers: Pick<Worker, "is_alive" | "version" | "build">[]): boolean {
  const builds = workers
    .filter((it) => it.is_alive && it.version != null)
    .map((it) => `${it.version} ${it.build}`);
  return new Set(builds).size > 1;
}

/** The parts of `checkout@3`. */
export function workflowOf(key: string): { workflow: string; version: string } {
  const at = key.lastIndexOf("@");
  return { workflow: key.slice(0, at), version: key.slice(at + 1) };
}

import { describe, expect, it } from "vitest";
import { healthOf, mixed, workflowOf } from "./workers";

const NOW = 1_000_000;

describe("an instance", () => {
  const signs = (lease_in: number, reported_ago: number | null, is_alive = true) => ({
    is_alive,
    lease_until: NOW + lease_in,
    reported_at: reported_ago === null ? null : NOW - reported_ago,
  });

  it.each([
    ["alive", signs(10_000, 3_000)],
    ["alive", signs(10_000, null)],
    ["silent", signs(10_000, 60_000)],
    // Its lease has run out since the list was read.
    ["lost", signs(-1, 3_000)],
    ["lost", signs(10_000, 3_000, false)],
  ])("is %s", (health, worker) => expect(healthOf(worker, NOW)).toBe(health));
});

it("registers a workflow by name and version", () => {
  expect(workflowOf("mail@home@3")).toEqual({ workflow: "mail@home", version: "3" });
});

describe("builds", () => {
  const of = (build: string | null, is_alive = true) => ({
    is_alive,
    version: build === null ? null : "0.1.0",
    build,
  });

  it("are mixed only among those that live and say so", () => {
    expect(mixed([of("a"), of("a")])).toBe(false);
    expect(mixed([of("a"), of("b")])).toBe(true);
    expect(mixed([of("a"), of("b", false)])).toBe(false);
    expect(mixed([of("a"), of(null)])).toBe(false);
  });
});

import type { Checkpoint } from "@durable/client";
import { describe, expect, it } from "vitest";
import { asks, canSkip, eventsOf, type May, openUpdates, runsOf } from "./allowed";
import { kindIcon, runLook, stepLook } from "./status";

const all: May = { act: true, administer: true, payloads: true, offers: () => true };

const run = (status: string, is_terminal = false, owner: string | null = null) => ({
  status,
  is_terminal,
  owner,
});

const step = (more: Partial<Checkpoint>): Checkpoint => ({
  seq: 0,
  kind: "step",
  name: "charge",
  status: "completed",
  attempt: 1,
  events: [],
  started_at: 0,
  rev: 1,
  ...more,
});

const held = step({ kind: "breakpoint", status: "waiting" });

describe("what can be asked of a run", () => {
  it.each([
    ["pending", false, "cancel force_fail fork pause signal"],
    ["running", false, "cancel fork pause signal"],
    ["suspended", false, "cancel force_fail fork pause signal"],
    ["paused", false, "cancel force_fail fork resume signal"],
    ["blocked", false, "cancel force_fail fork retry retry_with_input signal"],
    ["cancelling", false, "fork signal"],
    ["completed", true, "delete fork"],
    ["failed", true, "delete fork retry retry_with_input"],
  ])("%s", (status, isTerminal, words) => {
    expect([...asks(run(status, isTerminal), [], all)].sort().join(" ")).toBe(words);
  });

  it("is to continue where it stands at a breakpoint", () => {
    expect(asks(run("suspended"), [step({}), held], all).has("continue")).toBe(true);
    expect(asks(run("suspended"), [step({ ...held, status: "completed" })], all)).not.toContain(
      "continue",
    );
    expect(asks(run("failed", true), [held], all).has("continue")).toBe(false);
  });

  it("is not to fail while an instance holds it", () => {
    expect(asks(run("pending", false, "i-1"), [], all).has("force_fail")).toBe(false);
  });

  it("is what the server offers and the reader may", () => {
    expect(asks(run("failed", true), [], { ...all, act: false }).size).toBe(0);
    const operator = asks(run("failed", true), [], { ...all, administer: false });
    expect([...operator].sort()).toEqual(["fork", "retry", "retry_with_input"]);
    const older = { ...all, offers: (word: string) => word === "pause" };
    expect([...asks(run("paused"), [], older)]).toEqual(["resume"]);
    expect([...asks(run("suspended"), [], older)]).toEqual(["pause"]);
  });
});

describe("an event", () => {
  it("can be published from a run that waits for it", () => {
    const waits = step({ kind: "event", name: "order.paid", status: "waiting" });
    expect(asks(run("suspended"), [waits], all).has("event")).toBe(true);
    expect(asks(run("suspended"), [], all).has("event")).toBe(false);
    expect(asks(run("completed", true), [waits], all).has("event")).toBe(false);
    const older = { ...all, offers: (word: string) => word !== "events" };
    expect(asks(run("suspended"), [waits], older).has("event")).toBe(false);
    expect(eventsOf([waits, { ...waits, seq: 4 }])).toEqual(["order.paid"]);
  });
});

describe("an update", () => {
  const waits = step({ kind: "update", name: "set-address", status: "waiting" });

  it("can be sent while the run takes one", () => {
    expect(asks(run("suspended"), [waits], all).has("update")).toBe(true);
    const taken = step({ kind: "update", name: "set-address", status: "completed" });
    expect(asks(run("suspended"), [taken], all).has("update")).toBe(false);
    expect(asks(run("cancelled", true), [waits], all).has("update")).toBe(false);
    expect(asks(run("suspended"), [waits], { ...all, act: false }).has("update")).toBe(false);
  });

  it("is open while the run waits for it", () => {
    expect(openUpdates([waits, { ...waits, seq: 9, status: "completed" }])).toEqual([waits]);
  });
});

describe("an operation", () => {
  it("can be skipped while it is open, or if the run failed of it", () => {
    expect(canSkip(run("suspended"), step({ status: "retrying" }), all)).toBe(true);
    expect(canSkip(run("suspended"), step({ status: "completed" }), all)).toBe(false);
    expect(canSkip(run("failed", true), step({ status: "fatal" }), all)).toBe(true);
    expect(canSkip(run("running"), step({ status: "waiting" }), all)).toBe(false);
    const operator = { ...all, administer: false };
    expect(canSkip(run("suspended"), step({ status: "waiting" }), operator)).toBe(false);
  });

  it("names the runs that it has started, each once", () => {
    const at = { at: 0, attempt: 1 };
    const events: Checkpoint["events"] = [
      { type: "log", level: "info", message: "begins", ...at },
      { type: "run", run_id: "child-1", ...at },
      { type: "run", run_id: "child-1", ...at },
    ];
    expect(runsOf(step({ kind: "child", events }))).toEqual(["child-1"]);
    expect(runsOf(step({}))).toEqual([]);
  });
});

describe("how waits look", () => {
  it.each(["child", "task", "webhook", "update", "signal", "event"])("for a %s", (kind) => {
    const look = runLook(`waiting_${kind}`);
    expect(look.label).toBe(`Waiting for ${kind}`);
    expect(stepLook(kind, "waiting")).toEqual(look);
  });

  it("at a breakpoint", () => {
    expect(runLook("breakpoint")).toEqual(stepLook("breakpoint", "waiting"));
    expect(runLook("breakpoint").tone).toBe("attention");
  });

  it("of a kind that a newer server may know", () => {
    expect(stepLook("dream", "waiting").label).toBe("Waiting");
    expect(kindIcon("dream")).toBeUndefined();
    for (const kind of ["child", "cancel_run", "task", "webhook", "breakpoint", "update"]) {
      expect(kindIcon(kind)).toBeDefined();
    }
    for (const kind of ["token", "reply"]) expect(kindIcon(kind)).toBeDefined();
  });
});

import { describe, expect, it } from "vitest";
import { fromField, rangeLabel, toField } from "./range";

const at = (ms: number) => `t${ms}`;

describe("the range of times", () => {
  it.each([
    [undefined, {}, "Any time"],
    ["24h", {}, "Last 24 hours"],
    ["3h", {}, "Last 3h"],
    ["soon", {}, "Any time"],
    [undefined, { from: 1 }, "Since t1"],
    [undefined, { to: 2 }, "Until t2"],
    ["1h", { from: 1, to: 2 }, "t1 – t2"],
  ])("%j %j: %s", (newer, between, label) => {
    expect(rangeLabel(newer, between, at)).toBe(label);
  });

  it("reads what a field has as it was written, in both zones", () => {
    const ms = Date.UTC(2026, 2, 29, 1, 30);
    for (const zone of ["utc", "local"] as const) {
      expect(fromField(toField(ms, zone), zone)).toBe(ms);
    }
    expect(toField(ms, "utc")).toBe("2026-03-29T01:30");
    expect(toField(undefined, "utc")).toBe("");
    expect(fromField("", "utc")).toBeUndefined();
    expect(fromField("odd", "local")).toBeUndefined();
  });
});

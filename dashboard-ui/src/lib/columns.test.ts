import { describe, expect, it } from "vitest";
import { leastWidth, readColumns, tracks, USUAL, writeColumns } from "./columns";

describe("columns", () => {
  it("are the usual ones until somebody chooses", () => {
    expect(readColumns(undefined)).toEqual(USUAL);
    expect(writeColumns(USUAL)).toBeUndefined();
  });

  it("stand in their order, and what is always there stays", () => {
    expect(readColumns("took,parent")).toEqual(["status", "run", "parent", "took"]);
    expect(readColumns("none")).toEqual(["status", "run"]);
    expect(readColumns("odd")).toEqual(["status", "run"]);
  });

  it("read back as they were written", () => {
    for (const text of [
      "none",
      "workflow",
      "why,owner,ended",
      "workflow,why,started,took,changed",
    ]) {
      const chosen = readColumns(text);
      expect(readColumns(writeColumns(chosen))).toEqual(chosen);
    }
  });

  it("have a track each, behind that of the check box", () => {
    expect(tracks(readColumns("owner")).split(" ")).toHaveLength(4);
    // Check box, status, run and owner, with gaps between them and room at both ends.
    expect(leastWidth(readColumns("owner"))).toBe(28 + 140 + 130 + 84 + 5 * 12);
  });
});

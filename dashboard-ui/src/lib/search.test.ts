import { describe, expect, it } from "vitest";
import table from "../../../clients/search-grammar.json";
import {
  matches,
  parseSearch,
  span,
  token,
  without,
  withStatuses,
  withToken,
  wordsOf,
} from "./search";

const read = (text: string) => parseSearch(text).search;

describe("the search grammar", () => {
  // The parser of the API goes through the same table.
  it.each(table.cases)("reads $text as the shared table says", ({ text, search, bad }) => {
    const parsed = parseSearch(text);
    const { statuses, ...rest } = parsed.search;
    expect(statuses.length > 0 ? { statuses, ...rest } : rest).toEqual(search);
    const { problem } = parsed;
    expect(problem && text.slice(problem.from, problem.to)).toBe(bad);
    expect(problem === undefined || problem.problem !== "").toBe(true);
  });

  it("takes what it understands, whatever else stands there", () => {
    expect(read("status:failed colour:red")).toEqual({ statuses: ["failed"] });
  });

  it("never fails, whatever is typed", () => {
    const letters = ['"', ":", " ", "a", "status", ",", "7", "<", "\\", "ü", "\n"];
    let seed = 7;
    const next = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % n;
    };
    for (let round = 0; round < 2_000; round += 1) {
      const text = Array.from({ length: next(12) }, () => letters[next(letters.length)]).join("");
      expect(() => parseSearch(text)).not.toThrow();
    }
  });

  it("knows spans of time", () => {
    expect(span("15m")).toBe(900_000);
    expect(span("1w")).toBe(604_800_000);
    expect(span("m")).toBeUndefined();
    expect(span("-1h")).toBeUndefined();
  });
});

describe("changing a query", () => {
  it("leaves the rest as it was written", () => {
    expect(withStatuses("tag:web  status:failed x", ["dead", "running"])).toBe(
      "status:dead,running tag:web x",
    );
    expect(withStatuses("is:waiting tag:web", [])).toBe("tag:web");
    expect(withStatuses("-status:dead -tag:web", ["failed"])).toBe("status:failed -tag:web");
    expect(without('status:failed tag:"a b" x', "tag")).toBe("status:failed x");
    expect(withToken("tag:web workflow:a", "workflow", "b c")).toBe('tag:web workflow:"b c"');
  });

  it("writes for the API what it takes in words alone", () => {
    const text = '-workflow:a -workflow:"b c" -tag:x -namespace:n has:children -has:parent';
    expect(wordsOf(read(`status:failed ${text} tag:web`))).toBe(text);
    expect(wordsOf(read("tag:web"))).toBeUndefined();
  });

  it("writes tokens that read back", () => {
    for (const value of ["plain", "with blank", "a:b", "ü"]) {
      expect(read(token("tag", value)).tag).toBe(value);
    }
  });
});

describe("matching rows", () => {
  const run = {
    id: "order-7",
    status: "failed",
    workflow: "checkout",
    tags: ["web"],
    parent: "batch-1",
    created_at: 1_000_000,
    namespace: "acme",
    attributes: { total: 120, tier: "pro", gift: true },
  };
  it.each([
    ["", true],
    ["is:broken", true],
    ["status:running", false],
    ["workflow:checkout tag:web order", true],
    ["workflow:check", false],
    ["tag:mobile", false],
    ["parent:batch-1", true],
    ["parent:batch", false],
    ["order-8", false],
    ["newer:1m", true],
    ["older:1m", false],
    ["older:10s", true],
    ["namespace:acme", true],
    ["namespace:other", false],
    ["attr:total:gte:120 attr:tier:eq:pro attr:gift:eq:true", true],
    ["attr:total:gt:120", false],
    ["attr:total:eq:pro", false],
    ["attr:none:ne:1", false],
    ["-status:failed", false],
    ["-status:dead", true],
    ["-tag:web", false],
    ["-tag:mobile -workflow:other -namespace:other", true],
    ["-workflow:checkout", false],
    ["has:parent", true],
    ["-has:parent", false],
  ])("%j: %s", (text, expected) => {
    expect(matches(read(text), run, 1_030_000)).toBe(expected);
  });
});

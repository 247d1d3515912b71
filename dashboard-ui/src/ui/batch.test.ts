import { expect, it } from "vitest";
import { parseSearch } from "../lib/search";
import { batchRequest } from "./batch";

it("asks for all that match, and for nothing else", () => {
  const { search } = parseSearch(
    "is:waiting workflow:a tag:b parent:c id:d newer:1h older:1m namespace:n attr:t:gt:5",
  );
  const asked = batchRequest("cancel", undefined, search);
  // Each word of the search is in it: one that were left out would make more runs match.
  const { since, until, ...rest } = asked;
  expect(rest).toEqual({
    action: "cancel",
    status: "suspended",
    workflow: "a",
    tag: "b",
    parent: "c",
    id_prefix: "d",
    namespace: "n",
    attr: ["t:gt:5"],
  });
  expect(since).toBeTypeOf("number");
  expect(until).toBeTypeOf("number");
});

it("asks for those that were selected", () => {
  const { search } = parseSearch("tag:b");
  expect(batchRequest("pause", ["x", "y"], search)).toEqual({ action: "pause", ids: ["x", "y"] });
});

import { describe, expect, it } from "vitest";
import { payloadSchema } from "./described";
import type { Outline } from "./flow";

const text = { type: "string" };
const number = { type: "integer" };

const wait = (kind: string, name: string, line: number, payload_schema: unknown) => ({
  type: "operation" as const,
  kind,
  name,
  line,
  payload_schema,
});

const outline: Outline = {
  file: "src/shop.rs",
  line: 1,
  nodes: [
    wait("wait_for_signal", "token_of(&order)", 10, text),
    {
      type: "branch",
      condition: "large",
      line: 11,
      arms: [{ label: "large", nodes: [wait("wait_for_signal", "approve", 12, number)] }],
    },
    wait("on_update", "approve", 13, text),
    wait("wait_for_signal", "anything", 14, true),
    wait("wait_for_signal", "nothing", 15, { type: "null" }),
    wait("wait_for_signal", "unknown", 16, null),
  ],
};

describe("what a wait takes", () => {
  const of = (kind: string, name: string, site?: string) =>
    payloadSchema(outline, { kind, name, site });

  it("is found by its place, where the name is made at run time", () => {
    expect(of("signal", "approve:7", "build-1 /home/shop/src/shop.rs:10:9")).toBe(text);
    expect(of("signal", "approve:7", "build-1 /home/shop/src/other.rs:10:9")).toBeUndefined();
  });

  it("is found by its name, whatever the place", () => {
    expect(of("signal", "approve")).toBe(number);
    expect(of("update", "approve", "build-0 src/shop.rs:99:1")).toBe(text);
  });

  it("is not known where nothing says so", () => {
    for (const name of ["anything", "nothing", "unknown", "elsewhere"])
      expect(of("signal", name)).toBeUndefined();
    expect(payloadSchema(undefined, { kind: "signal", name: "approve" })).toBeUndefined();
  });
});

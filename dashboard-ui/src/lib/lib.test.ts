import type { Checkpoint } from "@durable/client";
import { describe, expect, it } from "vitest";
import { pair } from "./compare";
import { ahead, flow, type Outline } from "./flow";
import { bytes, duration } from "./format";
import { blank, formShape, type Schema, variantOf } from "./schema";

describe("spans for people", () => {
  it.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [1_500, "1.5 s"],
    [59_400, "59 s"],
    [59_600, "1 m"],
    [61_000, "1 m 1 s"],
    [3_700_000, "1 h 1 m"],
    [90_000_000, "1 d 1 h"],
    [-5, "0 ms"],
  ])("%d is %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("shows sizes", () => {
    expect([12, 70_000, 4_200_000].map(bytes)).toEqual(["12 B", "70 kB", "4.2 MB"]);
  });
});

const outline: Outline = {
  file: "shop.rs",
  line: 1,
  nodes: [
    { type: "operation", kind: "step", name: "reserve", line: 2 },
    { type: "operation", kind: "now", name: "", line: 3 },
    {
      type: "branch",
      condition: "refused",
      line: 4,
      arms: [
        {
          label: "refused",
          leaves: true,
          nodes: [{ type: "operation", kind: "step", name: "release", line: 5 }],
        },
      ],
    },
    {
      type: "loop",
      head: "for line in lines",
      line: 7,
      body: [{ type: "operation", kind: "step", name: "price", line: 8 }],
    },
    { type: "operation", kind: "sleep", name: "settle", line: 10 },
  ],
};

describe("the flow of a workflow", () => {
  it("has its branches, loops and ends", () => {
    const { nodes, edges } = flow(outline);
    const name = (id: string) => nodes.find((node) => node.id === id)!.label;
    const drawn = edges.map((it) => `${name(it.from)} > ${name(it.to)}${it.isBack ? " back" : ""}`);
    expect(drawn).toEqual([
      "reserve > refused",
      "refused > release",
      "refused > for line in lines",
      "for line in lines > price",
      "price > for line in lines back",
      "for line in lines > settle",
      "settle > end",
      "release > end",
    ]);
  });

  it("says what is ahead of a run, and what only may be", () => {
    expect(ahead(outline, [2]).map((it) => [it.name, it.isSure])).toEqual([
      ["release", false],
      ["price", false],
      ["settle", true],
    ]);
    expect(ahead(outline, [2, 10])).toEqual([]);
  });
});

describe("forms from schemas", () => {
  const root: Schema = {
    $defs: {
      Address: {
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      },
      Payment: {
        oneOf: [
          {
            type: "object",
            properties: { kind: { type: "string", const: "card" }, token: { type: "string" } },
            required: ["kind", "token"],
          },
          {
            type: "object",
            properties: { kind: { type: "string", const: "invoice" } },
            required: ["kind"],
          },
        ],
      },
      Endless: { properties: { next: { $ref: "#/$defs/Endless" } }, required: ["next"] },
    },
    type: "object",
    properties: {
      address: { $ref: "#/$defs/Address", description: "where to" },
      note: { type: ["string", "null"] },
      parcel: { anyOf: [{ $ref: "#/$defs/Address" }, { type: "null" }] },
      size: { type: "string", enum: ["s", "m"] },
      lines: { type: "array", items: { type: "integer", minimum: 1 } },
      pay: { $ref: "#/$defs/Payment" },
      extra: true,
    },
    required: ["pay", "address", "size", "lines"],
  };
  const at = (name: string) => (root.properties as Record<string, Schema>)[name]!;

  it("knows what to show", () => {
    const shapes = ["address", "note", "parcel", "size", "lines", "pay", "extra"].map(
      (name) => formShape(at(name), root).is,
    );
    expect(shapes).toEqual([
      "object",
      "optional",
      "optional",
      "choice",
      "list",
      "variants",
      "json",
    ]);
  });

  it("keeps the order of the declaration", () => {
    const shape = formShape(root, root);
    expect(shape.is === "object" && shape.fields.map((it) => it.name).slice(0, 4)).toEqual([
      "pay",
      "address",
      "size",
      "lines",
    ]);
  });

  it("begins with what is required", () => {
    expect(blank(root, root)).toEqual({
      pay: { kind: "card", token: "" },
      address: { city: "" },
      size: "s",
      lines: [],
    });
  });

  it("ends where a schema does not", () => {
    expect(() => blank({ $ref: "#/$defs/Endless" }, root)).not.toThrow();
    expect(() => formShape({ $ref: "#/$defs/None" }, root)).not.toThrow();
  });

  it("finds the variant of a value", () => {
    const shape = formShape(at("pay"), root);
    if (shape.is !== "variants") throw new Error(shape.is);
    expect(shape.variants.map((it) => it.label)).toEqual(["card", "invoice"]);
    expect(variantOf({ kind: "invoice" }, shape.variants, root)).toBe(1);
    expect(variantOf({ kind: "card", token: "t" }, shape.variants, root)).toBe(0);
  });
});

describe("comparing two runs", () => {
  const step = (seq: number, name: string) => ({ seq, kind: "step", name }) as Checkpoint;
  it("pairs by name, and shows what only one has", () => {
    const one = [step(0, "a"), step(1, "b"), step(2, "b")];
    const other = [step(0, "a"), step(1, "x"), step(2, "b")];
    const shown = pair(one, other).map((it) => [it.one?.name, it.other?.name]);
    expect(shown).toEqual([
      ["a", "a"],
      [undefined, "x"],
      ["b", "b"],
      ["b", undefined],
    ]);
  });
});

/** What is known of the values that a waiting run takes, from the source of its workflow. */
import type { Checkpoint } from "@durable/client";
import type { Outline, OutlineNode } from "./flow";
import type { Schema } from "./schema";

/** What an operation that waits is called in the source. */
const CALLS: Record<string, string> = {
  signal: "wait_for_signal",
  update: "on_update",
  event: "wait_for_event",
};

type Wait = Pick<Checkpoint, "kind" | "name" | "site">;

type Operation = Extract<OutlineNode, { type: "operation" }>;

function operations(nodes: OutlineNode[]): Operation[] {
  return nodes.flatMap((node) => {
    if (node.type === "operation") return [node];
    if (node.type === "loop") return operations(node.body);
    return node.arms.flatMap((arm) => operations(arm.nodes));
  });
}

/** The keywords of which one at least is there where a schema says anything. */
const WORDS = ["type", "properties", "oneOf", "anyOf", "allOf", "$ref", "enum"];

const saysAnything = (schema: unknown): schema is Schema =>
  typeof schema === "object" &&
  schema !== null &&
  (schema as { type?: unknown }).type !== "null" &&
  WORDS.some((word) => word in schema);

/**
 * The schema of what this wait takes; nothing if it is not known. It is the wait of the same place
 * in the source, or of the same name: a name that is made at run time is not in the source.
 */
export function payloadSchema(outline: Outline | undefined, wait: Wait): Schema | undefined {
  if (outline === undefined) return undefined;
  const same = operations(outline.nodes).filter((it) => it.kind === CALLS[wait.kind]);
  const [, file, line] = /(\S+):(\d+):\d+$/.exec(wait.site ?? "") ?? [];
  const isHere = outline.file !== "" && file?.endsWith(outline.file);
  const found =
    same.find((it) => isHere && it.line === Number(line)) ??
    same.find((it) => it.name === wait.name);
  return saysAnything(found?.payload_schema) ? found.payload_schema : undefined;
}

/**
 * The flow of a workflow, from the outline that its author's compiler left: known before it ran.
 * Captured values are left out; they are no part of the flow.
 */

export interface Outline {
  file: string;
  line: number;
  nodes: OutlineNode[];
}

export type OutlineNode =
  | {
      type: "operation";
      kind: string;
      name: string;
      compensation?: string;
      line: number;
      /** A JSON Schema; `null` if it is not known. */
      payload_schema?: unknown;
      reply_schema?: unknown;
    }
  | { type: "branch"; condition: string; line: number; arms: OutlineArm[] }
  | { type: "loop"; head: string; line: number; body: OutlineNode[] }
  | { type: "join"; kind: string; line: number; arms: OutlineArm[] };

export interface OutlineArm {
  label: string;
  /** It ends the workflow: what stands behind the branch is not reached from it. */
  leaves?: boolean;
  nodes: OutlineNode[];
}

export interface FlowNode {
  id: string;
  shape: "operation" | "branch" | "loop" | "join" | "end";
  kind: string;
  label: string;
  line: number;
  /** What undoes it. */
  undo?: string;
}

export interface FlowEdge {
  from: string;
  to: string;
  label: string;
  /** It leads back to the head of a loop. */
  isBack: boolean;
}

const CAPTURES = new Set([
  "now",
  "uuid",
  "random",
  "side_effect",
  "set_event",
  "add_tag",
  "switch",
  "note",
  "patched",
  "deprecate_patch",
]);

const isShown = (node: OutlineNode): boolean => {
  if (node.type === "operation") return !CAPTURES.has(node.kind);
  if (node.type === "loop") return node.body.some(isShown);
  return node.arms.some((arm) => arm.nodes.some(isShown));
};

/** A way that leads on from a node, to whatever comes next. */
interface Loose {
  from: string;
  label: string;
}

/** The outline as a graph. */
export function flow(outline: Outline): { nodes: FlowNode[]; edges: FlowEdge[] } {
  const nodes: FlowNode[] = [];
  const edges: FlowEdge[] = [];
  const left: Loose[] = [];
  const add = (node: Omit<FlowNode, "id">): string => {
    const id = `n${nodes.length}`;
    nodes.push({ ...node, id });
    return id;
  };
  const tie = (loose: Loose[], to: string) => {
    for (const { from, label } of loose) edges.push({ from, to, label, isBack: false });
  };
  const walk = (list: OutlineNode[], before: Loose[]): Loose[] => {
    let loose = before;
    for (const node of list.filter(isShown)) loose = step(node, loose);
    return loose;
  };
  const step = (node: OutlineNode, before: Loose[]): Loose[] => {
    const { line } = node;
    if (node.type === "operation") {
      const label = node.name || node.kind;
      const undo = node.compensation || undefined;
      const id = add({ shape: "operation", kind: node.kind, label, line, undo });
      tie(before, id);
      return [{ from: id, label: "" }];
    }
    if (node.type === "loop") {
      const id = add({ shape: "loop", kind: "loop", label: node.head, line });
      tie(before, id);
      for (const { from, label } of walk(node.body, [{ from: id, label: "each" }])) {
        edges.push({ from, to: id, label, isBack: true });
      }
      return [{ from: id, label: "then" }];
    }
    const isJoin = node.type === "join";
    const label = isJoin ? node.kind : node.condition;
    const id = add({ shape: node.type, kind: node.type, label, line });
    tie(before, id);
    const ways = node.arms.map((arm) => {
      const way = walk(arm.nodes, [{ from: id, label: isJoin ? "" : arm.label }]);
      if (!arm.leaves) return way;
      left.push(...way);
      return [];
    });
    // Without an `else` one may also pass by.
    const passes = !isJoin && node.arms.length === 1 ? [{ from: id, label: "else" }] : [];
    return [...ways.flat(), ...passes];
  };
  const loose = [...walk(outline.nodes, []), ...left];
  if (nodes.length > 0) tie(loose, add({ shape: "end", kind: "end", label: "end", line: 0 }));
  return { nodes, edges };
}

/** The operations of an outline in the order of the source, with what they stand in. */
export function operations(outline: Outline): { name: string; kind: string; line: number }[] {
  const all: { name: string; kind: string; line: number }[] = [];
  const walk = (nodes: OutlineNode[]) => {
    for (const node of nodes) {
      if (node.type === "operation") {
        if (!CAPTURES.has(node.kind)) all.push(node);
      } else if (node.type === "loop") walk(node.body);
      else for (const arm of node.arms) walk(arm.nodes);
    }
  };
  walk(outline.nodes);
  return all;
}

/** What is not reached yet: the operations behind the last line that a run has come to. */
export function ahead(
  outline: Outline,
  lines: number[],
): { name: string; kind: string; line: number; isSure: boolean }[] {
  const reached = Math.max(0, ...lines);
  const sure = new Set(
    outline.nodes.filter((node) => node.type === "operation").map((node) => node.line),
  );
  return operations(outline)
    .filter((it) => it.line > reached)
    .map((it) => ({ ...it, isSure: sure.has(it.line) }));
}

/** The flow of a workflow, drawn from its source. */
import dagre from "@dagrejs/dagre";
import {
  Background,
  BackgroundVariant,
  Controls,
  type Edge,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  type ReactFlowInstance,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import {
  CircleDot,
  GitFork,
  type LucideIcon,
  Moon,
  Radio,
  Repeat,
  Split,
  SquareFunction,
  Truck,
  Undo2,
} from "lucide-react";
import { useMemo, useRef } from "react";
import { type FlowNode, flow, type Outline } from "../lib/flow";
import { useTheme } from "../lib/settings";
import { cx } from "./kit";

const ICONS: Record<string, LucideIcon> = {
  step: SquareFunction,
  remote: Truck,
  sleep: Moon,
  sleep_until: Moon,
  wait_for_signal: Radio,
  branch: Split,
  join: GitFork,
  loop: Repeat,
  end: CircleDot,
};

const WIDTH = 232;
const HEIGHT = 46;

type FlowCard = Node<{ node: FlowNode }, "flow">;

function Card({ data: { node } }: NodeProps<FlowCard>) {
  const Icon = ICONS[node.kind] ?? SquareFunction;
  const isEnd = node.shape === "end";
  return (
    <div
      className={cx(
        "flex items-center gap-2 border bg-page px-3 text-left",
        node.shape === "operation" && "rounded-card border-line",
        (node.shape === "branch" || node.shape === "join" || node.shape === "loop") &&
          "rounded-full border-dashed border-dim bg-raised",
        isEnd && "justify-center rounded-full border-line text-dim",
      )}
      style={{ width: WIDTH, height: HEIGHT }}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} className="invisible!" />
      <Icon aria-hidden size={15} className="shrink-0 text-dim" />
      {isEnd ? (
        <span>end</span>
      ) : (
        <span className="min-w-0">
          <span
            className={cx(
              "block truncate text-dense",
              node.shape === "operation" ? "font-medium" : "font-mono",
            )}
            title={node.label}
          >
            {node.label}
          </span>
          <span className="flex gap-1 text-meta text-dim">
            <span className="shrink-0">
              {node.kind.replaceAll("_", " ")} · line {node.line}
            </span>
            {node.undo !== undefined && (
              <span
                className="inline-flex min-w-0 items-center gap-0.5"
                title={`undo: ${node.undo}`}
              >
                ·
                <Undo2 aria-label="undone by" size={11} className="shrink-0" />
                <span className="truncate">{node.undo}</span>
              </span>
            )}
          </span>
        </span>
      )}
      <Handle
        type="source"
        position={Position.Bottom}
        isConnectable={false}
        className="invisible!"
      />
    </div>
  );
}

const NODE_TYPES = { flow: Card };

/** Below this nobody can read a card: of a long flow the beginning is shown instead. */
const READABLE = 0.8;
const PADDING = 24;

export default function FlowGraph({ outline }: { outline: Outline }) {
  const theme = useTheme();
  const { nodes, edges } = useMemo(() => layout(outline), [outline]);
  const box = useRef<HTMLDivElement>(null);
  const begin = (flow: ReactFlowInstance<FlowCard, Edge>) => {
    if (flow.getZoom() >= READABLE || box.current === null) return;
    const bounds = flow.getNodesBounds(flow.getNodes());
    const width = box.current.clientWidth;
    const zoom = Math.min(1, Math.max(READABLE, (width - 2 * PADDING) / bounds.width));
    const first = flow.getNodes()[0]!;
    // The whole width if it fits, else the first operation in the middle.
    const middle =
      bounds.width * zoom <= width ? bounds.x + bounds.width / 2 : first.position.x + WIDTH / 2;
    void flow.setViewport({ x: width / 2 - middle * zoom, y: PADDING - bounds.y * zoom, zoom });
  };
  return (
    <ReactFlow
      ref={box}
      onInit={begin}
      panOnScroll
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      colorMode={theme}
      fitView
      fitViewOptions={{ maxZoom: 1, padding: 0.15 }}
      minZoom={0.1}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      onlyRenderVisibleElements
    >
      <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
      <Controls showInteractive={false} />
    </ReactFlow>
  );
}

function layout(outline: Outline): { nodes: FlowCard[]; edges: Edge[] } {
  const graph = flow(outline);
  const draw = new dagre.graphlib.Graph({ multigraph: true });
  draw.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 44 });
  draw.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) draw.setNode(node.id, { width: WIDTH, height: HEIGHT });
  graph.edges.forEach((edge, index) => {
    if (!edge.isBack) draw.setEdge(edge.from, edge.to, {}, `${index}`);
  });
  dagre.layout(draw);
  const nodes = graph.nodes.map((node): FlowCard => {
    const { x, y } = draw.node(node.id);
    return {
      id: node.id,
      type: "flow",
      data: { node },
      position: { x: x - WIDTH / 2, y: y - HEIGHT / 2 },
      width: WIDTH,
      height: HEIGHT,
      ariaLabel: `${node.kind} ${node.label}`,
    };
  });
  const edges = graph.edges.map(
    (edge, index): Edge => ({
      id: `e${index}`,
      source: edge.from,
      target: edge.to,
      type: "smoothstep",
      animated: false,
      label: shorten(edge.label),
      labelShowBg: true,
      labelBgPadding: [4, 2],
      style: edge.isBack ? { strokeDasharray: "4 4" } : undefined,
      labelStyle: { fontSize: 11, fill: "var(--dim)" },
      labelBgStyle: { fill: "var(--page)" },
    }),
  );
  return { nodes, edges };
}

const LONGEST_LABEL = 28;
const shorten = (text: string) =>
  text.length > LONGEST_LABEL ? `${text.slice(0, LONGEST_LABEL - 1)}…` : text;

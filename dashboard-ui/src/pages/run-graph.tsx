/** A run as a graph: what ran, top down, and what is still ahead of it. */
import type { Checkpoint, RunDetail } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
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
  useStore,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { Hourglass, Repeat } from "lucide-react";
import { memo, useMemo, useState } from "react";
import { workflowsQuery } from "../api/queries";
import { ahead, type Outline } from "../lib/flow";
import { duration, plural } from "../lib/format";
import { useNow } from "../lib/now";
import {
  type FoldItem,
  hasFailed,
  type Item,
  isCapture,
  isOpen,
  isRunning,
  levels,
  outline,
  title,
} from "../lib/outline";
import { useTheme } from "../lib/settings";
import { runLook, type StatusLook, stepLook, TONE_FILL } from "../lib/status";
import { cx, Empty, LookIcon, Skeleton } from "../ui/kit";

const WIDTH = 232;
const HEIGHT = 56;
const GAP_X = 24;
const GAP_Y = 40;
const FRAME = 14;
/** Members of a fan in one line of its frame. */
const PER_LINE = 4;

type StepNode = Node<
  { step: Checkpoint; asOf: number | undefined; isPicked: boolean; isOver: boolean },
  "step"
>;
type FoldNode = Node<{ fold: FoldItem }, "fold">;
type GhostNode = Node<{ name: string; kind: string; isSure: boolean }, "ghost">;
type FrameNode = Node<{ count: number }, "frame">;
type EndNode = Node<{ look: StatusLook }, "end">;
type AnyNode = StepNode | FoldNode | GhostNode | FrameNode | EndNode;

const Handles = () => (
  <>
    <Handle type="target" position={Position.Top} isConnectable={false} className="invisible!" />
    <Handle type="source" position={Position.Bottom} isConnectable={false} className="invisible!" />
  </>
);

/** From far away a name and a rail are all that can be read. */
const useIsFar = () => useStore((state) => state.transform[2] < 0.55);

const StepCard = memo(function StepCard({ data }: NodeProps<StepNode>) {
  const { step, asOf, isPicked, isOver } = data;
  const isFar = useIsFar();
  const waits = isOpen(step) && !isOver;
  const look = stepLook(step.kind, isOpen(step) && isOver ? "abandoned" : step.status);
  return (
    <div
      className={cx(
        "flex overflow-hidden rounded-card border bg-page text-left",
        isPicked ? "border-accent ring-2 ring-accent" : "border-line",
      )}
      style={{ width: WIDTH, height: HEIGHT }}
    >
      <Handles />
      <span aria-hidden className={cx("shrink-0", isFar ? "w-5" : "w-1.5", TONE_FILL[look.tone])} />
      <span className="flex min-w-0 flex-1 flex-col justify-center px-2.5">
        <span className={cx("flex items-center gap-1.5", isFar && "text-[22px] leading-7")}>
          {!isFar && <LookIcon look={look} />}
          <span className="truncate font-medium">{title(step)}</span>
        </span>
        {!isFar && (
          <span className="flex justify-between gap-2 font-mono text-meta text-dim">
            <span>
              #{step.seq} {step.kind}
              {step.attempt > 1 && ` ×${step.attempt}`}
            </span>
            <span>
              {waits && isRunning(step) && asOf !== undefined ? (
                <>then {duration(asOf - step.started_at)}</>
              ) : waits ? (
                <For from={step.started_at} />
              ) : (
                step.finished_at != null && duration(step.finished_at - step.started_at)
              )}
            </span>
          </span>
        )}
      </span>
    </div>
  );
});

function For({ from }: { from: number }) {
  return <>{duration(useNow() - from)}</>;
}

function FoldCard({ data: { fold } }: NodeProps<FoldNode>) {
  return (
    <div
      className="flex items-center gap-2.5 rounded-card border border-dashed border-dim bg-raised px-3 text-left"
      style={{ width: WIDTH, height: HEIGHT }}
    >
      <Handles />
      <Repeat aria-hidden size={16} className="shrink-0 text-dim" />
      <span className="min-w-0">
        <span className="block truncate font-medium">
          {fold.iterations.length} × {fold.body.join(", ")}
        </span>
        <span className="block text-meta text-dim">
          {plural(fold.steps.length, "operation")}
          {fold.failed > 0 && `, ${fold.failed} failed`}
        </span>
      </span>
    </div>
  );
}

function GhostCard({ data }: NodeProps<GhostNode>) {
  return (
    <div
      className="flex flex-col justify-center rounded-card border border-dashed border-line px-3 text-left text-dim"
      style={{ width: WIDTH, height: HEIGHT }}
    >
      <Handles />
      <span className="truncate">{data.name}</span>
      <span className="font-mono text-meta">
        {data.kind.replaceAll("_", " ")} · {data.isSure ? "ahead" : "maybe ahead"}
      </span>
    </div>
  );
}

function FrameBox() {
  return (
    <div className="size-full rounded-card border border-line bg-raised/60">
      <Handles />
    </div>
  );
}

function EndCard({ data: { look } }: NodeProps<EndNode>) {
  return (
    <div
      className="flex h-8 items-center justify-center gap-1.5 rounded-full border border-line bg-page"
      style={{ width: 132 }}
    >
      <Handles />
      <LookIcon look={look} /> {look.label}
    </div>
  );
}

const NODE_TYPES = {
  step: StepCard,
  fold: FoldCard,
  ghost: GhostCard,
  frame: FrameBox,
  end: EndCard,
};

interface Placed {
  nodes: AnyNode[];
  edges: Edge[];
}

export default function RunGraph({
  detail,
  asOf,
  picked,
  onPick,
}: {
  detail: RunDetail;
  /** From when what is known of steps under way is, unless that is now. */
  asOf: number | undefined;
  picked: number | undefined;
  onPick: (seq: number | undefined) => void;
}) {
  const theme = useTheme();
  const { run, timeline } = detail;
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const { data: workflows, isPending } = useQuery(workflowsQuery);
  const shape = useMemo(() => {
    const found = workflows?.find((it) => it.name === run.workflow);
    const version = found?.versions.find((it) => it.version === run.version);
    return version?.outline as Outline | undefined;
  }, [workflows, run.workflow, run.version]);
  const steps = useMemo(() => timeline.filter((step) => !isCapture(step)), [timeline]);
  const rows = useMemo(() => levels(outline(steps, opened)), [steps, opened]);
  const placed = useMemo(
    () => place(rows, run.is_terminal ? [] : ghosts(shape, timeline), run, picked, asOf),
    [rows, shape, timeline, run, picked, asOf],
  );
  const first = useMemo(() => {
    const bad = steps.find(hasFailed) ?? steps.find(isOpen);
    return bad === undefined ? undefined : `s${bad.seq}`;
  }, [steps]);
  // The first fit counts: what is still ahead belongs to it.
  if (isPending) return <Skeleton rows={8} height={56} />;
  if (steps.length === 0) {
    return (
      <Empty icon={Hourglass} title={run.is_terminal ? "No operation" : "No operation yet"}>
        {run.is_terminal
          ? "The run ended before it asked for any."
          : "The graph grows as the run gets on."}
      </Empty>
    );
  }
  // A long graph begins at what matters, a short one shows everything.
  const isLong = rows.length > 8;
  return (
    <div className="min-h-72 flex-1">
      <ReactFlow<AnyNode>
        nodes={placed.nodes}
        edges={placed.edges}
        nodeTypes={NODE_TYPES}
        colorMode={theme}
        fitView
        fitViewOptions={{
          maxZoom: 1,
          padding: 0.15,
          nodes: isLong ? nearby(placed.nodes, first) : undefined,
        }}
        minZoom={0.05}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        onlyRenderVisibleElements
        onNodeClick={(_, node) => {
          if (node.type === "step") onPick(node.data.step.seq);
          if (node.type === "fold") {
            setOpened((known) => new Set(known).add(node.data.fold.key));
          }
        }}
        onPaneClick={() => onPick(undefined)}
        aria-label="The run as a graph; the timeline tells the same as a list"
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

/** A window of the graph around a card. */
function nearby(nodes: AnyNode[], id: string | undefined): { id: string }[] {
  const at = Math.max(0, id === undefined ? 0 : nodes.findIndex((node) => node.id === id));
  return nodes.slice(Math.max(0, at - 3), at + 4).map((node) => ({ id: node.id }));
}

function ghosts(shape: Outline | undefined, timeline: Checkpoint[]) {
  if (shape === undefined || shape.nodes.length === 0) return [];
  const lines = timeline.map((step) => {
    const found = /:(\d+):\d+$/.exec(step.site ?? "");
    return found === null ? 0 : Number(found[1]);
  });
  return ahead(shape, lines);
}

const edge = (from: string, to: string, isGhost = false): Edge => ({
  id: `${from}-${to}`,
  source: from,
  target: to,
  type: "straight",
  style: isGhost ? { strokeDasharray: "4 4", opacity: 0.6 } : undefined,
});

/** Rows from top to bottom; a row of several is one framed group with one way in and one out. */
function place(
  rows: Item[][],
  next: { name: string; kind: string; isSure: boolean }[],
  run: RunDetail["run"],
  picked: number | undefined,
  asOf: number | undefined,
): Placed {
  const nodes: AnyNode[] = [];
  const edges: Edge[] = [];
  let y = 0;
  let last: string | undefined;
  const tie = (id: string, isGhost = false) => {
    if (last !== undefined) edges.push(edge(last, id, isGhost));
    last = id;
  };
  const card = (item: Item, x: number, top: number, parent?: string) => {
    const base = {
      id: item.key,
      position: { x, y: top },
      width: WIDTH,
      height: HEIGHT,
      parentId: parent,
    };
    if (item.type === "fold") {
      nodes.push({ ...base, type: "fold", data: { fold: item }, ariaLabel: item.body.join(", ") });
    } else {
      const { step } = item;
      nodes.push({
        ...base,
        type: "step",
        data: { step, asOf, isPicked: step.seq === picked, isOver: run.is_terminal },
        ariaLabel: `${title(step)}, ${stepLook(step.kind, step.status).label}`,
      });
    }
  };
  for (const row of rows) {
    if (row.length === 1) {
      card(row[0]!, -WIDTH / 2, y);
      tie(row[0]!.key);
      y += HEIGHT + GAP_Y;
      continue;
    }
    const lines = Math.ceil(row.length / PER_LINE);
    const across = Math.min(row.length, PER_LINE);
    const width = across * WIDTH + (across - 1) * GAP_X + 2 * FRAME;
    const height = lines * HEIGHT + (lines - 1) * GAP_X + 2 * FRAME;
    const frame = `g${row[0]!.key}`;
    nodes.push({
      id: frame,
      type: "frame",
      data: { count: row.length },
      position: { x: -width / 2, y },
      width,
      height,
      focusable: false,
    });
    tie(frame);
    row.forEach((item, index) => {
      const x = FRAME + (index % PER_LINE) * (WIDTH + GAP_X);
      card(item, x, FRAME + Math.floor(index / PER_LINE) * (HEIGHT + GAP_X), frame);
    });
    y += height + GAP_Y;
  }
  for (const [index, ghost] of next.entries()) {
    const id = `ghost${index}`;
    nodes.push({
      id,
      type: "ghost",
      data: ghost,
      position: { x: -WIDTH / 2, y },
      width: WIDTH,
      height: HEIGHT,
      focusable: false,
    });
    tie(id, true);
    y += HEIGHT + GAP_Y;
  }
  if (run.is_terminal) {
    const look = runLook(run.status);
    nodes.push({
      id: "end",
      type: "end",
      data: { look },
      position: { x: -66, y },
      width: 132,
      height: 32,
      focusable: false,
    });
    tie("end");
  }
  return { nodes, edges };
}

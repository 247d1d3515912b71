import {
  Ban,
  Check,
  CircleDashed,
  CirclePause,
  CircleQuestionMark,
  ClipboardList,
  Clock,
  GitFork,
  Hand,
  Hourglass,
  Loader,
  LoaderCircle,
  type LucideIcon,
  Megaphone,
  MessageSquareReply,
  MessageSquareText,
  Moon,
  OctagonPause,
  Pause,
  PlugZap,
  Radio,
  RotateCw,
  Skull,
  Ticket,
  Truck,
  Undo2,
  Webhook,
  X,
} from "lucide-react";

/** The colours of states. Text never has them: they are for icons, rails and bars. */
export type Tone =
  | "pending"
  | "running"
  | "waiting"
  | "attention"
  | "completed"
  | "failed"
  | "dead"
  | "cancelled";

export interface StatusLook {
  label: string;
  tone: Tone;
  icon: LucideIcon;
  spins?: boolean;
}

/** What operations wait for, by kind. */
const WAITS: Record<string, StatusLook> = {
  sleep: { label: "Sleeping", tone: "waiting", icon: Moon },
  signal: { label: "Waiting for signal", tone: "waiting", icon: Radio },
  event: { label: "Waiting for event", tone: "waiting", icon: Megaphone },
  child: { label: "Waiting for child", tone: "waiting", icon: GitFork },
  task: { label: "Waiting for task", tone: "waiting", icon: ClipboardList },
  webhook: { label: "Waiting for webhook", tone: "waiting", icon: Webhook },
  update: { label: "Waiting for update", tone: "waiting", icon: MessageSquareText },
  breakpoint: { label: "At a breakpoint", tone: "attention", icon: OctagonPause },
  remote: { label: "At a worker", tone: "running", icon: Truck },
};

/** What tells operations apart that have to do with the world outside of the run. */
const KINDS: Record<string, LucideIcon> = {
  child: GitFork,
  cancel_run: Ban,
  task: ClipboardList,
  event: Megaphone,
  emit: Megaphone,
  webhook: Webhook,
  breakpoint: OctagonPause,
  update: MessageSquareText,
  token: Ticket,
  reply: MessageSquareReply,
};

/** The shape of a kind of operation; most have none, and are told apart by their names. */
export const kindIcon = (kind: string): LucideIcon | undefined => KINDS[kind];

/** Waits that someone else ends; time alone only cuts them off. */
const CUT_OFF = ["signal", "event", "child", "task", "webhook", "update", "breakpoint"];

/** Whether time cuts off what an operation of this kind waits for, and does not end it. */
export const isCutOff = (kind: string): boolean => CUT_OFF.includes(kind);

/** The same of what a run waits for, by its `display`. */
export const runIsCutOff = (display: string): boolean => isCutOff(display.replace("waiting_", ""));

const RUNS: Record<string, StatusLook> = {
  pending: { label: "Pending", tone: "pending", icon: CircleDashed },
  delayed: { label: "Delayed", tone: "pending", icon: Clock },
  running: { label: "Running", tone: "running", icon: LoaderCircle, spins: true },
  suspended: { label: "Waiting", tone: "waiting", icon: CirclePause },
  sleeping: WAITS.sleep!,
  waiting_signal: WAITS.signal!,
  waiting_event: WAITS.event!,
  waiting_child: WAITS.child!,
  waiting_task: WAITS.task!,
  waiting_webhook: WAITS.webhook!,
  waiting_update: WAITS.update!,
  waiting_worker: WAITS.remote!,
  breakpoint: WAITS.breakpoint!,
  retrying: { label: "Retrying", tone: "attention", icon: RotateCw },
  no_handler: { label: "No handler", tone: "attention", icon: PlugZap },
  blocked: { label: "Blocked", tone: "attention", icon: Hand },
  paused: { label: "Paused", tone: "attention", icon: Pause },
  cancelling: { label: "Cancelling", tone: "attention", icon: Hourglass },
  completed: { label: "Completed", tone: "completed", icon: Check },
  failed: { label: "Failed", tone: "failed", icon: X },
  cancelled: { label: "Cancelled", tone: "cancelled", icon: Ban },
  dead: { label: "Dead", tone: "dead", icon: Skull },
  compensation_failed: { label: "Undo failed", tone: "failed", icon: Undo2 },
};

const STEPS: Record<string, StatusLook> = {
  running: RUNS.running!,
  last_seen_running: { label: "Running when last seen", tone: "pending", icon: Loader },
  waiting: { label: "Waiting", tone: "waiting", icon: CirclePause },
  retrying: { label: "Retrying", tone: "attention", icon: RotateCw },
  completed: { label: "Completed", tone: "completed", icon: Check },
  failed: { label: "Failed", tone: "failed", icon: X },
  fatal: { label: "Failed", tone: "failed", icon: X },
  timed_out: { label: "Timed out", tone: "attention", icon: Hourglass },
  abandoned: { label: "Dropped", tone: "cancelled", icon: Ban },
};

/** A newer server may know words that this page does not. */
const unknown = (word: string): StatusLook => ({
  label: word === "" ? "Unknown" : word.replaceAll("_", " "),
  tone: "pending",
  icon: CircleQuestionMark,
});

/** How a run's `display` or `status` looks. */
export const runLook = (word: string): StatusLook => RUNS[word] ?? unknown(word);

/** How an operation of the given kind and status looks. */
export function stepLook(kind: string, status: string): StatusLook {
  if (kind === "compensation") {
    if (status === "completed") return { label: "Undone", tone: "attention", icon: Undo2 };
    if (status === "failed" || status === "fatal") {
      return { label: "Undo failed", tone: "failed", icon: Undo2 };
    }
  }
  if (status === "waiting") return WAITS[kind] ?? STEPS.waiting!;
  return STEPS[status] ?? unknown(status);
}

/** The statuses of runs, in the order in which they are offered as filters. */
export const STATUSES = [
  "pending",
  "running",
  "suspended",
  "blocked",
  "paused",
  "cancelling",
  "completed",
  "failed",
  "cancelled",
  "dead",
  "compensation_failed",
] as const;

export type RunStatus = (typeof STATUSES)[number];

/** Whether a retry can be asked for. */
export const canRetry = (status: string): boolean =>
  ["failed", "cancelled", "dead", "blocked", "compensation_failed"].includes(status);

/** Whether a cancel can be asked for. */
export const canCancel = (status: string): boolean =>
  ["pending", "running", "suspended", "blocked", "paused"].includes(status);

/** Class names by tone: written out, so that the style sheet has them. */
export const TONE_TEXT: Record<Tone, string> = {
  pending: "text-pending",
  running: "text-running",
  waiting: "text-waiting",
  attention: "text-attention",
  completed: "text-completed",
  failed: "text-failed",
  dead: "text-dead",
  cancelled: "text-cancelled",
};

export const TONE_FILL: Record<Tone, string> = {
  pending: "bg-pending",
  running: "bg-running",
  waiting: "bg-waiting",
  attention: "bg-attention",
  completed: "bg-completed",
  failed: "bg-failed",
  dead: "bg-dead",
  cancelled: "bg-cancelled",
};

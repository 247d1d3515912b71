/** The small parts that every page is made of. */
import { Link } from "@tanstack/react-router";
import { Check, CloudOff, Copy, type LucideIcon, X } from "lucide-react";
import {
  type ButtonHTMLAttributes,
  type ReactNode,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";
import { explainError } from "../api/client";
import { token } from "../lib/search";
import { runLook, type StatusLook, stepLook, TONE_TEXT } from "../lib/status";

export const cx = (...names: (string | false | null | undefined)[]): string =>
  names.filter(Boolean).join(" ");

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  look?: "plain" | "primary" | "danger" | "quiet";
  icon?: LucideIcon;
  busy?: boolean;
};

const LOOKS = {
  plain: "border border-line bg-page hover:bg-raised text-ink",
  primary: "border border-accent bg-accent text-on-accent hover:opacity-90",
  danger: "border border-line bg-page text-ink hover:border-failed hover:bg-raised",
  quiet: "border border-transparent text-dim hover:bg-raised hover:text-ink",
};

export function Button({
  look = "plain",
  icon: Icon,
  busy = false,
  className,
  children,
  disabled,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      className={cx(
        "inline-flex h-7 shrink-0 items-center justify-center gap-1.5 whitespace-nowrap rounded-control px-2.5 text-dense font-medium transition-colors pointer-coarse:h-9",
        "disabled:opacity-50",
        LOOKS[look],
        className,
      )}
    >
      {Icon && <Icon aria-hidden size={14} className={busy ? "spin" : undefined} />}
      {children}
    </button>
  );
}

export function IconButton({
  icon: Icon,
  label,
  className,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { icon: LucideIcon; label: string }) {
  return (
    <button
      type="button"
      title={label}
      {...rest}
      aria-label={label}
      className={cx(
        "inline-flex size-7 shrink-0 items-center justify-center rounded-control text-dim hover:bg-raised hover:text-ink pointer-coarse:size-9",
        className,
      )}
    >
      <Icon aria-hidden size={15} />
    </button>
  );
}

export function LookIcon({ look, size = 14 }: { look: StatusLook; size?: number }) {
  const Icon = look.icon;
  return (
    <Icon
      aria-hidden
      size={size}
      strokeWidth={2.25}
      className={cx("shrink-0", TONE_TEXT[look.tone], look.spins && "spin")}
    />
  );
}

function Looked({ look }: { look: StatusLook }) {
  return (
    <span className="inline-flex min-w-0 max-w-full items-center gap-1.5 align-middle">
      <LookIcon look={look} />
      <span className="truncate">{look.label}</span>
    </span>
  );
}

/** A run's state: a shape and a word. */
export const RunState = ({ word }: { word: string }) => <Looked look={runLook(word)} />;

/** An operation's state: a shape and a word. */
export const StepState = ({ kind, status }: { kind: string; status: string }) => (
  <Looked look={stepLook(kind, status)} />
);

export function Card({
  title,
  aside,
  children,
  className,
}: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={cx("min-w-0 rounded-card border border-line bg-page", className)}>
      {title !== undefined && (
        <header className="flex items-center justify-between gap-3 border-b border-line px-3 py-2">
          <h2 className="text-h2 font-medium">{title}</h2>
          {aside !== undefined && <span className="text-dense text-dim">{aside}</span>}
        </header>
      )}
      {children}
    </section>
  );
}

/** What stands where nothing is. */
export function Empty({
  icon: Icon,
  title,
  children,
}: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-12 text-center">
      <span className="mb-1 rounded-full bg-raised p-3 text-dim">
        <Icon aria-hidden size={22} />
      </span>
      <h2 className="text-h2 font-medium">{title}</h2>
      <div className="max-w-md text-dim">{children}</div>
    </div>
  );
}

/** What a failed request says, in place of what it should have brought. */
export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  const { title, detail } = explainError(error);
  return (
    <div role="alert" className="m-4 rounded-card border border-line bg-raised px-4 py-3">
      <p className="flex items-center gap-2 font-medium">
        <X aria-hidden size={15} className="text-failed" />
        {title}
      </p>
      <p className="mt-1 text-dim">{detail}</p>
      {retry && (
        <Button className="mt-3" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** What is on screen could not be read again: from when it is, and why. */
export function Stale({ error, at, retry }: { error: unknown; at: number; retry: () => void }) {
  const { title, detail } = explainError(error);
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-x-3 gap-y-1 border-y border-line bg-raised px-4 py-1.5 text-dense"
    >
      <CloudOff aria-hidden size={14} className="shrink-0 text-attention" />
      <span className="min-w-0">
        Showing data from <time className="font-medium">{new Date(at).toLocaleTimeString()}</time>.{" "}
        <span className="font-medium">{title}:</span> <span className="text-dim">{detail}</span>
      </span>
      <Button className="ml-auto" onClick={retry}>
        Try again
      </Button>
    </div>
  );
}

/** Rows of the height of what is being read. */
export function Skeleton({ rows, height = 36 }: { rows: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading" className="flex flex-col">
      {Array.from({ length: rows }, (_, row) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike
          key={row}
          className="flex items-center border-b border-line px-3"
          style={{ height }}
        >
          <span
            className="shimmer h-2.5 rounded-full bg-sunken"
            style={{ width: `${30 + ((row * 37) % 50)}%` }}
          />
        </div>
      ))}
    </div>
  );
}

const TAG =
  "inline-flex h-5 max-w-40 items-center truncate rounded-full bg-raised px-2 text-meta text-dim";

/** How a tag looks that leads to its runs. */
export const TAG_LINK = `${TAG} hover:text-ink`;

export function Tag({ name, href }: { name: string; href?: boolean }) {
  return href ? (
    <Link to="/runs" search={{ q: token("tag", name) }} className={TAG_LINK}>
      #{name}
    </Link>
  ) : (
    <span className={TAG}>#{name}</span>
  );
}

export const Kbd = ({ children }: { children: ReactNode }) => (
  <kbd className="rounded-control border border-line bg-raised px-1 font-mono text-meta text-dim">
    {children}
  </kbd>
);

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1_500);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <IconButton
      icon={done ? Check : Copy}
      label={done ? "Copied" : label}
      onClick={() => {
        void navigator.clipboard?.writeText(text).then(() => setDone(true));
      }}
    />
  );
}

/** A modal dialog: the browser's own, with its focus trap, Esc and inert background. */
export function Dialog({
  title,
  children,
  onClose,
  wide = false,
}: {
  title: string;
  children: ReactNode;
  onClose: () => void;
  wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === ref.current) ref.current?.close();
      }}
      className={cx(
        "rise m-auto max-h-[90dvh] w-[calc(100vw-24px)] rounded-dialog border border-line bg-page p-0 shadow-[var(--shadow)]",
        wide ? "max-w-3xl" : "max-w-lg",
      )}
    >
      <div className="flex max-h-[90dvh] flex-col">
        <header className="flex items-center justify-between gap-3 border-b border-line px-4 py-2.5">
          <h2 id={heading} className="text-h2 font-semibold">
            {title}
          </h2>
          <IconButton icon={X} label="Close" onClick={() => ref.current?.close()} />
        </header>
        <div className="overflow-y-auto p-4">{children}</div>
      </div>
    </dialog>
  );
}

/** A label above a control. */
export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  error?: string;
  children: (id: string, describedBy: string | undefined) => ReactNode;
}) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-dense font-medium">
        {label}
      </label>
      {children(id, note === undefined ? undefined : `${id}-note`)}
      {note !== undefined && (
        <p
          id={`${id}-note`}
          className={cx("text-dense text-dim", error !== undefined && "font-medium text-ink")}
        >
          {error !== undefined && <X aria-hidden size={12} className="mr-1 inline text-failed" />}
          {note}
        </p>
      )}
    </div>
  );
}

export const INPUT =
  "h-8 w-full min-w-0 rounded-control border border-line bg-page px-2 text-body pointer-coarse:h-9 aria-invalid:border-failed";

/** Views of one thing, as tabs that are links. */
export function Tabs<T extends string>({
  label,
  tabs,
  now,
  onPick,
}: {
  label: string;
  tabs: { id: T; label: string; icon?: LucideIcon }[];
  now: T;
  onPick: (id: T) => void;
}) {
  return (
    <div
      role="tablist"
      aria-label={label}
      className="flex min-w-0 gap-1 overflow-x-auto"
      onKeyDown={(event) => {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (step === 0) return;
        const at = tabs.findIndex((tab) => tab.id === now);
        const next = tabs[(at + step + tabs.length) % tabs.length]!;
        onPick(next.id);
        document.getElementById(`tab-${next.id}`)?.focus();
      }}
    >
      {tabs.map(({ id, label: name, icon: Icon }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`tab-${id}`}
          aria-selected={id === now}
          aria-controls="tab-panel"
          tabIndex={id === now ? 0 : -1}
          onClick={() => onPick(id)}
          className={cx(
            "inline-flex h-8 items-center gap-1.5 whitespace-nowrap border-b-2 px-2 text-dense font-medium pointer-coarse:h-9",
            id === now ? "border-accent text-ink" : "border-transparent text-dim hover:text-ink",
          )}
        >
          {Icon && <Icon aria-hidden size={14} />}
          {name}
        </button>
      ))}
    </div>
  );
}

/** The heading of a page; focus goes there when the page opens. */
export function PageHead({
  title,
  aside,
  children,
}: {
  title: ReactNode;
  aside?: ReactNode;
  children?: ReactNode;
}) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // Not on the first page: there the reader begins at the top.
    if (document.body.dataset.visited !== undefined) ref.current?.focus({ preventScroll: true });
    document.body.dataset.visited = "";
  }, []);
  return (
    <header className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 pt-4 pb-3">
      <h1 ref={ref} tabIndex={-1} className="text-h1 font-semibold tracking-tight">
        {title}
      </h1>
      {aside !== undefined && <span className="text-dim">{aside}</span>}
      {children !== undefined && (
        <div className="ml-auto flex flex-wrap items-center gap-2">{children}</div>
      )}
    </header>
  );
}

/** Says in the tab's title what stands first on the page. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Durable`;
  }, [title]);
}

/** What stands around every page: rail, header, palette, messages. */
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import {
  Activity,
  Bug,
  CircleAlert,
  Cpu,
  Gauge,
  Moon,
  PanelLeftClose,
  PanelLeftOpen,
  Pause,
  Play,
  Search,
  Server,
  Sun,
  Workflow,
} from "lucide-react";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { metaQuery } from "../api/queries";
import { useKeys } from "../lib/keys";
import { useSignedOut } from "../lib/session";
import {
  toggleNarrow,
  toggleTheme,
  toggleZone,
  useNarrow,
  useTheme,
  useZone,
} from "../lib/settings";
import { type Badge, live, useBadge, useFollowList } from "../live/live";
import { Button, cx, IconButton, Kbd } from "./kit";
import Palette from "./palette";
import { SignIn, UserMenu } from "./sign-in";
import { Toasts, toast } from "./toast";

const Help = lazy(() => import("./help"));

const PAGES = [
  { to: "/", label: "Overview", icon: Gauge, key: "o" },
  { to: "/runs", label: "Runs", icon: Activity, key: "r" },
  { to: "/workflows", label: "Workflows", icon: Workflow, key: "w" },
  { to: "/workers", label: "Workers", icon: Cpu, key: "k" },
  { to: "/errors", label: "Errors", icon: Bug, key: "e" },
  { to: "/system", label: "System", icon: Server, key: "s" },
] as const;

export function Shell() {
  const [open, setOpen] = useState<"palette" | "help">();
  // A browser says later that a dialog has closed; another one may have been opened since.
  const closed = (what: typeof open) => setOpen((now) => (now === what ? undefined : now));
  const isNarrow = useNarrow();
  const navigate = useNavigate();
  const { data: meta, error } = useQuery(metaQuery);
  // A host with sessions of its own says so before they end; who was never told is asked here.
  const asksWho = useSignedOut() && meta?.login !== false;
  useFollowList();
  const keys = useMemo(
    () => ({
      "?": () => setOpen("help"),
      t: toggleTheme,
      ".": () => {
        void navigator.clipboard?.writeText(location.href).then(() => toast("Link copied"));
      },
      ...Object.fromEntries(PAGES.map(({ to, key }) => [`g ${key}`, () => void navigate({ to })])),
    }),
    [navigate],
  );
  useKeys(keys);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOpen((now) => (now === "palette" ? undefined : "palette"));
      }
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  return (
    <div
      className={cx(
        "grid h-full grid-cols-[minmax(0,1fr)] grid-rows-[44px_minmax(0,1fr)_auto] md:grid-rows-[44px_minmax(0,1fr)]",
        isNarrow ? "md:grid-cols-[49px_minmax(0,1fr)]" : "md:grid-cols-[184px_minmax(0,1fr)]",
      )}
    >
      <button
        type="button"
        className="absolute top-1 left-1 z-50 -translate-y-20 rounded-control bg-accent px-3 py-2 text-on-accent focus:translate-y-0"
        onClick={() => document.getElementById("main")?.focus()}
      >
        Skip to content
      </button>
      <Header onSearch={() => setOpen("palette")} />
      <nav
        aria-label="Pages"
        className="order-last flex border-t border-line md:order-none md:flex-col md:gap-0.5 md:border-t-0 md:border-r md:p-2"
      >
        {PAGES.map(({ to, label, icon: Icon }) => (
          <Link
            key={to}
            to={to}
            title={isNarrow ? label : undefined}
            activeOptions={{ exact: to === "/", includeSearch: false }}
            className="flex h-13 flex-1 flex-col items-center justify-center gap-0.5 rounded-control text-meta text-dim hover:bg-raised hover:text-ink md:h-8 md:flex-none md:flex-row md:justify-start md:gap-2.5 md:px-2 md:text-body"
            activeProps={{ className: "bg-raised font-medium !text-ink", "aria-current": "page" }}
          >
            <Icon aria-hidden size={16} className="shrink-0" />
            <span className={cx(isNarrow && "md:sr-only")}>{label}</span>
          </Link>
        ))}
        <IconButton
          icon={isNarrow ? PanelLeftOpen : PanelLeftClose}
          label={isNarrow ? "Show the names of pages" : "Show shapes alone"}
          className="mt-auto hidden! md:inline-flex!"
          onClick={toggleNarrow}
        />
      </nav>
      <main id="main" tabIndex={-1} className="min-h-0 min-w-0 overflow-y-auto outline-none">
        {error !== null && !asksWho && <Unreachable />}
        <Newer />
        <Outlet />
      </main>
      <Suspense>
        {open === "palette" && <Palette onClose={() => closed("palette")} />}
        {open === "help" && <Help onClose={() => closed("help")} />}
      </Suspense>
      {asksWho && <SignIn />}
      <Toasts />
      <Loading />
    </div>
  );
}

function Header({ onSearch }: { onSearch: () => void }) {
  const theme = useTheme();
  const zone = useZone();
  const { data: meta } = useQuery(metaQuery);
  return (
    <header className="col-span-full flex items-center gap-2 border-b border-line px-3 md:gap-3">
      <Link to="/" className="flex items-center gap-2 font-semibold text-h2 tracking-tight">
        <Mark />
        durable
      </Link>
      {meta && !meta.drives && (
        <span className="hidden rounded-control bg-raised px-1.5 font-mono text-meta text-dim sm:inline">
          API only
        </span>
      )}
      {meta && !meta.access.act && (
        <span className="rounded-control bg-raised px-1.5 text-meta text-dim">Read only</span>
      )}
      <div className="ml-auto flex items-center gap-1.5 md:gap-2">
        <button
          type="button"
          onClick={onSearch}
          className="flex h-7 items-center gap-2 rounded-control border border-line bg-raised px-2 text-dense text-dim hover:text-ink pointer-coarse:h-9"
        >
          <Search aria-hidden size={14} />
          <span className="sr-only md:not-sr-only">Search or jump…</span>
          <span className="hidden md:inline">
            <Kbd>Ctrl K</Kbd>
          </span>
        </button>
        <LiveBadge />
        <button
          type="button"
          onClick={toggleZone}
          title="Times in your zone or in UTC"
          className="hidden h-7 rounded-control px-2 text-dense text-dim hover:bg-raised hover:text-ink sm:inline"
        >
          {zone === "utc" ? "UTC" : "Local"}
        </button>
        <IconButton
          icon={theme === "dark" ? Moon : Sun}
          label={theme === "dark" ? "Use the light theme" : "Use the dark theme"}
          onClick={toggleTheme}
        />
        <UserMenu />
      </div>
    </header>
  );
}

function Mark() {
  return (
    <svg aria-hidden="true" viewBox="0 0 20 20" className="size-5">
      <rect width="20" height="20" rx="5" className="fill-accent" />
      <path
        d="M5.5 6.3h4m1 3.7h4m-9 3.7h4"
        className="stroke-on-accent"
        strokeWidth="1.9"
        strokeLinecap="round"
      />
      <g className="fill-on-accent">
        <circle cx="13.2" cy="6.3" r="1.3" />
        <circle cx="6.8" cy="10" r="1.3" />
        <circle cx="13.2" cy="13.7" r="1.3" />
      </g>
    </svg>
  );
}

const BADGES: Record<Badge, { label: string; mark: string; hint: string }> = {
  idle: { label: "Not streaming", mark: "border border-dim", hint: "This page follows nothing" },
  connecting: { label: "Connecting…", mark: "border border-dim pulse", hint: "Opening the stream" },
  live: { label: "Live", mark: "bg-completed", hint: "Changes appear as they happen" },
  retrying: {
    label: "Reconnecting…",
    mark: "bg-attention pulse",
    hint: "The stream is down; click to try now",
  },
  polling: {
    label: "Polling",
    mark: "bg-attention",
    hint: "There is no stream; the page looks again every few seconds",
  },
  offline: { label: "Offline", mark: "border border-failed", hint: "This device is offline" },
  paused: { label: "Paused", mark: "bg-waiting", hint: "Click to go on" },
  refused: { label: "Signed out", mark: "bg-failed", hint: "The server refuses the stream" },
};

function LiveBadge() {
  const badge = useBadge();
  const { label, mark, hint } = BADGES[badge];
  const canPause = badge === "live";
  const Icon = canPause ? Pause : Play;
  return (
    <button
      type="button"
      data-badge={badge}
      title={canPause ? "Changes appear as they happen; click to pause" : hint}
      onClick={() => (canPause ? live.pause() : live.resume())}
      className="group flex h-7 items-center gap-1.5 rounded-control px-2 text-dense text-dim hover:bg-raised hover:text-ink pointer-coarse:h-9"
    >
      <span aria-hidden className={cx("size-2 rounded-full", mark)} />
      <span>{label}</span>
      <Icon aria-hidden size={11} className="hidden opacity-0 group-hover:opacity-100 md:inline" />
    </button>
  );
}

function Unreachable() {
  const { error, refetch, isFetching } = useQuery(metaQuery);
  const status = (error as { status?: number } | null)?.status;
  const text =
    status === 401
      ? "Your session has ended. Sign in with the host application, then come back to this page."
      : status === 403
        ? error?.message
        : "The server does not answer. What you see may be out of date.";
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-3 border-b border-line bg-raised px-4 py-2"
    >
      <CircleAlert aria-hidden size={16} className="shrink-0 text-attention" />
      <span className="min-w-0 flex-1">{text}</span>
      <Button busy={isFetching} onClick={() => void refetch()}>
        Try again
      </Button>
    </div>
  );
}

/** The server is another version than the one that has brought this page. */
function Newer() {
  const { data: meta } = useQuery(metaQuery);
  const first = useRef(meta?.version);
  first.current ??= meta?.version;
  if (meta === undefined || meta.version === first.current) return null;
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center gap-3 border-b border-line bg-raised px-4 py-2"
    >
      <CircleAlert aria-hidden size={16} className="shrink-0 text-attention" />
      <span className="min-w-0 flex-1">
        The server is now version {meta.version}. This page is of {first.current} and may not know
        all that it says.
      </span>
      <Button onClick={() => location.reload()}>Reload</Button>
    </div>
  );
}

/** A thin bar while a page is on its way for longer than a blink. */
function Loading() {
  const isLoading = useRouterState({ select: (state) => state.status === "pending" });
  return isLoading ? (
    <div aria-hidden className="pulse fixed inset-x-0 top-0 z-50 h-0.5 bg-accent" />
  ) : null;
}

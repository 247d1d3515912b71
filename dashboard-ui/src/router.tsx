/** All pages. The address is the state: whatever can be seen can be linked. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  parseSearchWith,
  stringifySearchWith,
} from "@tanstack/react-router";
import { basePath } from "./lib/base";
import { NotFound } from "./pages/not-found";
import { Shell } from "./ui/shell";

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
const number = (value: unknown): number | undefined => {
  const n = typeof value === "string" ? Number(value) : value;
  return typeof n === "number" && Number.isInteger(n) && n >= 0 ? n : undefined;
};

export const RUN_VIEWS = [
  "timeline",
  "graph",
  "history",
  "logs",
  "io",
  "children",
  "audit",
] as const;
export type RunView = (typeof RUN_VIEWS)[number];

export interface RunsSearch {
  q?: string;
  /** Started between these times, in milliseconds since 1970. */
  from?: number;
  to?: number;
  cols?: string;
  /** The run that is looked at beside the list. */
  peek?: string;
}

export interface RunSearch {
  view?: RunView;
  step?: number;
  /** The part of the run's time that the timeline draws. */
  z?: string;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/overview")),
});

export const runsRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: (search: Record<string, unknown>): RunsSearch => ({
    q: text(search.q),
    from: number(search.from),
    to: number(search.to),
    cols: text(search.cols),
    peek: text(search.peek),
  }),
  component: lazyRouteComponent(() => import("./pages/runs")),
});

export const startRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/new",
  validateSearch: (search: Record<string, unknown>): { workflow?: string; from?: string } => ({
    workflow: text(search.workflow),
    from: text(search.from),
  }),
  component: lazyRouteComponent(() => import("./pages/start")),
});

export const runRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  validateSearch: (search: Record<string, unknown>): RunSearch => ({
    view: RUN_VIEWS.find((view) => view === search.view),
    step: number(search.step),
    z: text(search.z),
  }),
  component: lazyRouteComponent(() => import("./pages/run")),
});

export const compareRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id/compare/$other",
  component: lazyRouteComponent(() => import("./pages/compare")),
});

const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  component: lazyRouteComponent(() => import("./pages/workflows")),
});

export const workflowRoute = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$name",
  validateSearch: (
    search: Record<string, unknown>,
  ): { tab?: "flow" | "schema" | "runs"; version?: number } => ({
    tab: (["flow", "schema", "runs"] as const).find((tab) => tab === search.tab),
    version: number(search.version),
  }),
  component: lazyRouteComponent(() => import("./pages/workflow")),
});

const workers = createRoute({
  getParentRoute: () => root,
  path: "/workers",
  component: lazyRouteComponent(() => import("./pages/workers")),
});

const errors = createRoute({
  getParentRoute: () => root,
  path: "/errors",
  component: lazyRouteComponent(() => import("./pages/errors")),
});

const system = createRoute({
  getParentRoute: () => root,
  path: "/system",
  component: lazyRouteComponent(() => import("./pages/system")),
});

const routeTree = root.addChildren([
  overview,
  runsRoute,
  startRoute,
  runRoute,
  compareRoute,
  workflows,
  workflowRoute,
  workers,
  errors,
  system,
]);

export const router = createRouter({
  routeTree,
  basepath: basePath === "" ? "/" : basePath,
  // Plain texts, so that addresses can be read and written by people.
  parseSearch: parseSearchWith((value) => value),
  stringifySearch: stringifySearchWith(String),
  defaultPreload: "intent",
  defaultPendingMs: 150,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

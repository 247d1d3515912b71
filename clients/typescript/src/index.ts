/**
 * A typed client of the HTTP API of `axum-durable`.
 *
 * ```ts
 * import { durableClient } from "@axum-durable/client";
 *
 * const durable = durableClient({ baseUrl: "http://localhost:3000/durable/api" });
 * const failed = await durable.runs({ status: "failed" });
 * await durable.retry(failed.runs[0].id, "the card provider is back");
 * const close = durable.streamRun("order-7", (event) => console.log(event.kind, event));
 * ```
 *
 * @module
 */

import createFetchClient, { type Client } from "openapi-fetch";
import { LiveStream, type LiveOptions } from "./live.js";
import type { components, operations, paths } from "./schema.js";

export { LiveStream, type LiveOptions, type LiveState, type Topic } from "./live.js";
export type { components, operations, paths } from "./schema.js";

type Schemas = components["schemas"];

export type RunSummary = Schemas["RunSummary"];
export type RunList = Schemas["RunList"];
export type RunDetail = Schemas["RunDetail"];
export type RunPayloads = Schemas["RunPayloads"];
export type Checkpoint = Schemas["CheckpointView"];
export type Failure = Schemas["FailureView"];
export type Waiting = Schemas["WaitingView"];
export type UnderWay = Schemas["UnderWayView"];
export type Explanation = Schemas["ExplanationView"];
export type Survey = Schemas["SurveyView"];
export type WorkflowSurvey = Schemas["WorkflowSurveyView"];
export type FailureGroup = Schemas["FailureGroupView"];
export type FailureList = Schemas["FailureList"];
export type Batch = Schemas["BatchView"];
export type BatchRequest = Schemas["BatchBody"];
export type StartRequest = Schemas["StartBody"];
export type Started = Schemas["Started"];
export type SignalSent = Schemas["SignalSent"];
export type EventPublished = Schemas["EventPublished"];
export type ActionTaken = Schemas["ActionTaken"];
export type Meta = Schemas["Meta"];
export type Worker = Schemas["WorkerView"];
export type WorkerList = Schemas["WorkerList"];
export type Workflow = Schemas["WorkflowView"];
export type WorkflowVersion = Schemas["VersionView"];
export type Problem = Schemas["Problem"];
export type AuditLog = Schemas["AuditLog"];
export type UndoPlan = Schemas["UndoView"];
export type Facets = Schemas["FacetsView"];
export type ForkRequest = Schemas["ForkBody"];
export type Fork = Schemas["ForkView"];
export type LiveEvent = Schemas["LiveEvent"];

/** Which runs to list. */
export type RunFilter = NonNullable<operations["list_runs"]["parameters"]["query"]>;

/** Which runs to count. */
export type FacetFilter = NonNullable<operations["get_facets"]["parameters"]["query"]>;

/** An answer that is no success, with the problem document that came with it. */
export class DurableError extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "DurableError";
    this.status = problem.status;
    this.problem = problem;
  }
}

/** How to reach the API. */
export interface ClientOptions {
  /** Where the API is: `<base path>/api`. */
  baseUrl: string;
  /** Headers of each request, such as `authorization`. Streams cannot carry them: use cookies. */
  headers?: Record<string, string>;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** What to do with what a stream says about a run. */
export interface RunListener {
  /** The run stands differently. */
  onRun?: (run: RunSummary) => void;
  /** An operation changed. */
  onStep?: (step: Checkpoint) => void;
  /** Other steps execute now, or another instance knows of them. */
  onUnderWay?: (underWay: UnderWay) => void;
  /** There is no such run, or not any more. */
  onGone?: () => void;
}

/** The verbs of the API. Each throws a {@link DurableError} if the answer is no success. */
export interface DurableClient {
  /** The generated client underneath, for everything else. */
  readonly raw: Client<paths>;
  /** The API's address. */
  readonly baseUrl: string;
  meta(signal?: AbortSignal): Promise<Meta>;
  runs(filter?: RunFilter, signal?: AbortSignal): Promise<RunList>;
  /** A run with one page of its timeline, without payloads unless asked for. */
  run(
    id: string,
    options?: { fromSeq?: number; payloads?: boolean; signal?: AbortSignal },
  ): Promise<RunDetail>;
  explain(id: string, signal?: AbortSignal): Promise<Explanation>;
  payloads(id: string, signal?: AbortSignal): Promise<RunPayloads>;
  step(id: string, seq: number, signal?: AbortSignal): Promise<Checkpoint>;
  survey(signal?: AbortSignal): Promise<Survey>;
  failures(signal?: AbortSignal): Promise<FailureList>;
  /** How many of the newest runs that match stand where, and what they are. */
  facets(filter?: FacetFilter, signal?: AbortSignal): Promise<Facets>;
  /** The latest value that a run has published under a key. */
  published(id: string, key: string, signal?: AbortSignal): Promise<unknown>;
  /** What a cancellation that undoes would undo, in its order. */
  undo(id: string, signal?: AbortSignal): Promise<UndoPlan>;
  workflows(signal?: AbortSignal): Promise<Workflow[]>;
  /** One workflow: its flow, and the schemas of what goes in, comes out and arrives on the way. */
  workflow(name: string, signal?: AbortSignal): Promise<Workflow>;
  /** The instances that execute runs. */
  workers(signal?: AbortSignal): Promise<WorkerList>;
  start(request: StartRequest): Promise<Started>;
  /** Sends a signal. Under an `id` of your own it is taken once, however often it is sent. */
  signal(
    token: string,
    value: unknown,
    options?: { id?: string; reason?: string },
  ): Promise<SignalSent>;
  /**
   * Publishes an event to all runs that wait for it, and to those that soon will. Under an `id` of
   * your own it is published once, however often it is sent.
   */
  publish(
    name: string,
    payload: unknown,
    options?: { id?: string; reason?: string },
  ): Promise<EventPublished>;
  retry(id: string, reason?: string): Promise<ActionTaken>;
  /** Begins a failed run again from the top, with another input. */
  retryWithInput(id: string, input: unknown, reason?: string): Promise<ActionTaken>;
  /** Ends a run; with `compensate` it undoes what it has done first. */
  cancel(id: string, reason?: string, options?: { compensate?: boolean }): Promise<ActionTaken>;
  /** Holds a run until it is resumed. */
  pause(id: string, reason?: string): Promise<ActionTaken>;
  resume(id: string, reason?: string): Promise<ActionTaken>;
  /** Lets a run go on from the breakpoints at which it stands. */
  goOn(id: string, reason?: string): Promise<ActionTaken>;
  /**
   * Asks a run for something and waits for the workflow's answer. What its validator refuses comes
   * as a {@link DurableError}. Under an `id` of your own it is taken once, however often it is sent.
   */
  update(
    id: string,
    name: string,
    args: unknown,
    options?: { id?: string; reason?: string },
  ): Promise<unknown>;
  /** Gives an operation that does not get on a result by hand. */
  skipStep(id: string, seq: number, value: unknown, reason?: string): Promise<ActionTaken>;
  /** Ends a run that is not executing as failed. The reason is what its failure says. */
  forceFail(id: string, reason: string): Promise<ActionTaken>;
  /** Begins a new run with a part of this one's history; a `dry_run` only says what it would do. */
  fork(id: string, request: ForkRequest, signal?: AbortSignal): Promise<Fork>;
  /** Removes an ended run with all that belongs to it, but for its audit log. */
  remove(id: string, reason?: string): Promise<ActionTaken>;
  /** What was done to a run from outside, newest first. It outlives the run. */
  audit(id: string, signal?: AbortSignal): Promise<AuditLog>;
  createBatch(request: BatchRequest): Promise<Batch>;
  batch(id: string, signal?: AbortSignal): Promise<Batch>;
  abortBatch(id: string): Promise<Batch>;
  /** Follows what changes; close it when done. */
  live(options: LiveOptions): LiveStream;
  /**
   * Follows one run from its beginning, across lost connections; returns what ends it. A function
   * gets each event as it comes, an object those that it names. It ends by itself once the run has
   * ended, is gone, or may not be seen.
   */
  streamRun(id: string, listener: RunListener | ((event: LiveEvent) => void)): () => void;
}

/** What an openapi-fetch call returns. */
interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

async function take<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok && data !== undefined) {
    return data;
  }
  const told = error as Partial<Problem> | undefined;
  throw new DurableError({
    type: told?.type ?? "about:blank",
    title: told?.title ?? (response.statusText || "Request failed"),
    status: response.status,
    detail: told?.detail ?? `the server answered ${response.status}`,
  });
}

/** A client of one API. */
export function durableClient(options: ClientOptions): DurableClient {
  const baseUrl = options.baseUrl.replace(/\/$/, "");
  const raw = createFetchClient<paths>({
    baseUrl,
    headers: options.headers,
    fetch: options.fetch,
  });
  const why = (reason?: string) => (reason ? { reason } : {});
  const live = (liveOptions: LiveOptions) => new LiveStream(`${baseUrl}/stream`, liveOptions);
  return {
    raw,
    baseUrl,
    live,
    meta: (signal) => take(raw.GET("/meta", { signal })),
    runs: (query, signal) => take(raw.GET("/runs", { params: { query }, signal })),
    run: (id, { fromSeq, payloads = false, signal } = {}) =>
      take(
        raw.GET("/runs/{id}", {
          params: { path: { id }, query: { from_seq: fromSeq, payloads } },
          signal,
        }),
      ),
    explain: (id, signal) => take(raw.GET("/runs/{id}/explain", { params: { path: { id } }, signal })),
    payloads: (id, signal) =>
      take(raw.GET("/runs/{id}/payloads", { params: { path: { id } }, signal })),
    step: (id, seq, signal) =>
      take(raw.GET("/runs/{id}/steps/{seq}", { params: { path: { id, seq } }, signal })),
    survey: (signal) => take(raw.GET("/survey", { signal })),
    failures: (signal) => take(raw.GET("/failures", { signal })),
    facets: (query, signal) => take(raw.GET("/facets", { params: { query }, signal })),
    published: async (id, key, signal) => {
      const params = { path: { id, key } };
      const { value } = await take<{ value: unknown }>(
        raw.GET("/runs/{id}/events/{key}", { params, signal }),
      );
      return value;
    },
    undo: (id, signal) => take(raw.GET("/runs/{id}/undo", { params: { path: { id } }, signal })),
    workflows: async (signal) => (await take(raw.GET("/workflows", { signal }))).workflows,
    workflow: (name, signal) =>
      take(raw.GET("/workflows/{name}", { params: { path: { name } }, signal })),
    workers: (signal) => take(raw.GET("/workers", { signal })),
    start: (body) => take(raw.POST("/runs", { body })),
    signal: (token, value, { id, reason } = {}) =>
      take(
        raw.POST("/signals/{token}", {
          params: { path: { token } },
          body: { value, ...(id ? { id } : {}), ...why(reason) } as never,
        }),
      ),
    publish: (name, payload, { id, reason } = {}) =>
      take(
        raw.POST("/events/{name}", {
          params: { path: { name } },
          body: { payload, ...(id ? { id } : {}), ...why(reason) } as never,
        }),
      ),
    retry: (id, reason) =>
      take(raw.POST("/runs/{id}/retry", { params: { path: { id } }, body: why(reason) })),
    cancel: (id, reason, { compensate } = {}) =>
      take(
        raw.POST("/runs/{id}/cancel", {
          params: { path: { id }, query: { compensate } },
          body: why(reason),
        }),
      ),
    retryWithInput: (id, input, reason) =>
      take(
        raw.POST("/runs/{id}/retry-with-input", {
          params: { path: { id } },
          body: { input, ...why(reason) },
        }),
      ),
    pause: (id, reason) =>
      take(raw.POST("/runs/{id}/pause", { params: { path: { id } }, body: why(reason) })),
    resume: (id, reason) =>
      take(raw.POST("/runs/{id}/resume", { params: { path: { id } }, body: why(reason) })),
    goOn: (id, reason) =>
      take(raw.POST("/runs/{id}/continue", { params: { path: { id } }, body: why(reason) })),
    update: async (id, name, args, { id: key, reason } = {}) => {
      const { reply } = await take<{ reply: unknown }>(
        raw.POST("/runs/{id}/updates/{name}", {
          params: { path: { id, name } },
          body: { args, ...(key ? { id: key } : {}), ...why(reason) } as never,
        }),
      );
      return reply;
    },
    skipStep: (id, seq, value, reason) =>
      take(
        raw.POST("/runs/{id}/skip-step", {
          params: { path: { id } },
          body: { seq, value, ...why(reason) },
        }),
      ),
    forceFail: (id, reason) =>
      take(raw.POST("/runs/{id}/force-fail", { params: { path: { id } }, body: { reason } })),
    fork: (id, body, signal) =>
      take<Fork>(raw.POST("/runs/{id}/fork", { params: { path: { id } }, body, signal })),
    remove: (id, reason) =>
      take(raw.DELETE("/runs/{id}", { params: { path: { id } }, body: why(reason) })),
    audit: (id, signal) => take(raw.GET("/runs/{id}/audit", { params: { path: { id } }, signal })),
    createBatch: (body) => take<Batch>(raw.POST("/batches", { body })),
    batch: (id, signal) => take(raw.GET("/batches/{id}", { params: { path: { id } }, signal })),
    abortBatch: (id) => take(raw.DELETE("/batches/{id}", { params: { path: { id } } })),
    streamRun: (id, listener) => {
      const told =
        typeof listener === "function"
          ? listener
          : (event: LiveEvent) => {
              if (event.kind === "run") listener.onRun?.(event.data);
              else if (event.kind === "step") listener.onStep?.(event.data);
              else if (event.kind === "under_way") listener.onUnderWay?.(event.data);
              else if (event.kind === "gone") listener.onGone?.();
            };
      // What was seen last: after a lost connection the rest follows, and nothing twice.
      let after = 0;
      let stood = "";
      let underWay = "";
      const steps = new Map<number, number>();
      const isNew = (event: LiveEvent): boolean => {
        if (event.kind === "step") {
          const { seq, rev } = event.data;
          if ((steps.get(seq) ?? -1) >= rev) return false;
          steps.set(seq, rev);
        } else if (event.kind === "under_way") {
          const { instance, steps } = event.data;
          const now = JSON.stringify([instance, steps]);
          if (now === underWay) return false;
          underWay = now;
        } else if (event.kind === "run") {
          // The operations of a revision come before the run that stands at it.
          after = event.data.rev;
          const stands = `${after} ${event.data.status} ${event.data.updated_at}`;
          if (stands === stood) return false;
          stood = stands;
        }
        return true;
      };
      const stream = live({
        topics: () => [{ run: id, after }],
        onEvent: (event) => {
          if (isNew(event)) told(event);
          if (event.kind === "gone" || (event.kind === "run" && event.data.is_terminal)) {
            stream.close();
          }
        },
      });
      stream.open();
      return () => stream.close();
    },
  };
}

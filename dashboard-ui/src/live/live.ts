/** The one stream of this tab, and what it does to the cache. */
import {
  type LiveEvent,
  type LiveState,
  LiveStream,
  type RunList,
  type RunSummary,
} from "@durable/client";
import type { InfiniteData } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { queryClient } from "../api/client";
import { runQuery } from "../api/queries";
import { apiUrl } from "../lib/base";
import { onReturn, signedOut } from "../lib/session";
import { fold, patchDetail, patchList } from "./patch";

/** A tab that nobody looks at collects changes for longer. */
const HIDDEN_FLUSH_MS = 1_000;
/** Looking after so long begins anew. */
const HIDDEN_CLOSE_MS = 5 * 60_000;
/** What is counted over many runs is asked again at most so often. */
const COUNTS_MS = 3_000;
/** And what matches a search at most so often: each search has an answer of its own. */
const FACETS_MS = 10_000;
/** Without a stream, so often is looked. */
const POLL_MS = 4_000;
const POLL_AFTER_MS = 15_000;

/** How the page is kept up to date. */
export type Badge = LiveState | "polling";

type RowListener = (row: RunSummary) => void;

class Live {
  readonly #stream: LiveStream;
  readonly #followed = new Map<string, number>();
  #follows = 0;
  #events: LiveEvent[] = [];
  #scheduled = false;
  #badge: Badge = "idle";
  #isPaused = false;
  #hiddenAt: number | undefined;
  #downSince: number | undefined;
  #countsAt = 0;
  #facetsAt = 0;
  #countsTimer: ReturnType<typeof setTimeout> | undefined;
  #facetsTimer: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;
  #reopening = false;
  readonly #listeners = new Set<() => void>();
  readonly #rowListeners = new Set<RowListener>();
  status: number | undefined;

  constructor() {
    this.#stream = new LiveStream(`${apiUrl}/stream`, {
      topics: () => this.#topics(),
      onEvent: (event) => this.#collect(event),
      onResync: () => this.#resync(),
      onState: (state) => this.#become(state),
      onRefused: (status) => {
        this.status = status;
        if (status === 401) signedOut();
      },
    });
    onReturn(() => this.#reopen());
    addEventListener("online", () => this.#reopen());
    addEventListener("offline", () => this.#reopen());
    document.addEventListener("visibilitychange", () => this.#looked());
  }

  get badge(): Badge {
    return this.#badge;
  }

  /** When the server last said anything. */
  get heardAt(): number {
    return this.#stream.heardAt;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Tells of each run in the list that is new or changed. */
  onRow(listener: RowListener): () => void {
    this.#rowListeners.add(listener);
    return () => this.#rowListeners.delete(listener);
  }

  /** Follows the list; returns what ends it. */
  followList(): () => void {
    this.#follows += 1;
    if (this.#follows === 1) this.#reopen();
    return () => {
      this.#follows -= 1;
    };
  }

  /** Follows a run; returns what ends it. */
  follow(id: string): () => void {
    const count = this.#followed.get(id) ?? 0;
    this.#followed.set(id, count + 1);
    if (count === 0) this.#reopen();
    return () => {
      const left = (this.#followed.get(id) ?? 1) - 1;
      if (left > 0) this.#followed.set(id, left);
      else {
        this.#followed.delete(id);
        this.#reopen();
      }
    };
  }

  /** A list was read at this position. */
  startAt(position: string): void {
    this.#stream.startAt(position);
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  /** Opens the stream now, whatever it waits for. */
  resume(): void {
    this.#isPaused = false;
    this.#reopen();
  }

  #topics() {
    const runs = [...this.#followed.keys()].map((run) => {
      const known = queryClient.getQueryData(runQuery(run).queryKey);
      return { run, after: known?.run.rev ?? 0 };
    });
    return this.#follows > 0 ? ["runs" as const, ...runs] : runs;
  }

  /** Opens the stream with what is followed now, once per task. */
  #reopen(): void {
    if (this.#isPaused || this.#reopening) return;
    this.#reopening = true;
    queueMicrotask(() => {
      this.#reopening = false;
      if (!this.#isPaused) this.#stream.open();
    });
  }

  #looked(): void {
    if (document.hidden) {
      this.#hiddenAt = Date.now();
      return;
    }
    const wasHidden = this.#hiddenAt === undefined ? 0 : Date.now() - this.#hiddenAt;
    this.#hiddenAt = undefined;
    if (wasHidden > HIDDEN_CLOSE_MS) {
      this.#resync();
      this.#reopen();
    }
  }

  #collect(event: LiveEvent): void {
    this.#events.push(event);
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (document.hidden) setTimeout(() => this.#flush(), HIDDEN_FLUSH_MS);
    else requestAnimationFrame(() => this.#flush());
  }

  /** Puts what was collected into the cache, once per frame. */
  #flush(): void {
    this.#scheduled = false;
    const { rows, runs, many } = fold(this.#events.splice(0));
    queryClient.setQueriesData<InfiniteData<RunList>>({ queryKey: ["runs"] }, (list) =>
      patchList(list, rows),
    );
    for (const [id, changes] of runs) {
      queryClient.setQueryData(runQuery(id).queryKey, (known) => patchDetail(known, changes));
    }
    for (const listener of this.#rowListeners) for (const row of rows.values()) listener(row);
    if (many) void queryClient.invalidateQueries({ queryKey: ["runs"] });
    if (many || rows.size > 0) this.#countAgain();
  }

  /** What is counted over many runs is read again, but not with each of them. */
  #countAgain(): void {
    if (this.#countsTimer !== undefined) return;
    const wait = Math.max(300, this.#countsAt + COUNTS_MS - Date.now());
    this.#countsTimer = setTimeout(() => {
      this.#countsTimer = undefined;
      this.#countsAt = Date.now();
      void queryClient.invalidateQueries({ queryKey: ["survey"] });
      void queryClient.invalidateQueries({ queryKey: ["failures"] });
      this.#countFacets();
    }, wait);
  }

  #countFacets(): void {
    if (this.#facetsTimer !== undefined) return;
    const wait = Math.max(0, this.#facetsAt + FACETS_MS - Date.now());
    this.#facetsTimer = setTimeout(() => {
      this.#facetsTimer = undefined;
      this.#facetsAt = Date.now();
      void queryClient.invalidateQueries({ queryKey: ["facets"] });
    }, wait);
  }

  /** More was missed than the server keeps. */
  #resync(): void {
    for (const key of ["runs", "run", "survey", "facets", "failures"]) {
      void queryClient.invalidateQueries({ queryKey: [key] });
    }
  }

  #become(state: LiveState): void {
    if (state === "live") {
      this.#downSince = undefined;
      this.status = undefined;
      void queryClient.invalidateQueries({ queryKey: ["meta"] });
    } else if (state === "retrying" || state === "connecting") {
      this.#downSince ??= Date.now();
    }
    const isDown = state === "retrying" || state === "connecting";
    if (isDown && this.#poll === undefined) {
      this.#poll = setInterval(() => this.#pollOnce(), POLL_MS);
    } else if (!isDown) {
      clearInterval(this.#poll);
      this.#poll = undefined;
    }
    this.#show(state);
  }

  #pollOnce(): void {
    if (this.#downSince === undefined || Date.now() - this.#downSince < POLL_AFTER_MS) return;
    this.#show("polling");
    this.#resync();
  }

  #show(badge: Badge): void {
    if (badge === this.#badge) return;
    this.#badge = badge;
    for (const listener of this.#listeners) listener();
  }
}

export const live = new Live();

/** How the page is kept up to date. */
export const useBadge = (): Badge => useSyncExternalStore(live.subscribe, () => live.badge);

/** Follows the list while the component is there. */
export function useFollowList(): void {
  useEffect(() => live.followList(), []);
}

/** Follows a run while the component is there, once it was read. */
export function useFollow(id: string, isRead: boolean): void {
  useEffect(() => (isRead ? live.follow(id) : undefined), [id, isRead]);
}

import { QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { durable, queryClient } from "../api/client";
import { isSignedOut, onReturn, returned, signedOut, signIn, signOut } from "./session";

const MOUNT = "http://shop.example/ops/durable";

const refusal = (status: number, detail: string) =>
  new Response(JSON.stringify({ title: "no", status, detail }), {
    status,
    headers: { "content-type": "application/problem+json" },
  });

const answers = (...all: (Response | Error)[]) =>
  vi.fn(async (_url: unknown, _init?: RequestInit) => {
    const next = all.length > 1 ? all.shift()! : all[0]!;
    if (next instanceof Error) throw next;
    return next.clone();
  });

beforeEach(() => {
  returned();
  queryClient.clear();
});
afterEach(() => vi.unstubAllGlobals());

describe("signing in", () => {
  it("asks below the mount, with JSON and the browser's own cookies", async () => {
    const fetch = answers(new Response(null, { status: 204 }));
    vi.stubGlobal("fetch", fetch);
    signedOut();
    const told = vi.fn();
    const stop = onReturn(told);
    expect(await signIn(MOUNT, "ada", "correct-horse")).toEqual({ ok: true });
    stop();
    const [url, init] = fetch.mock.calls[0]!;
    expect(url).toBe("http://shop.example/ops/durable/login");
    expect(init).toMatchObject({ method: "POST", credentials: "same-origin" });
    expect(JSON.parse(init!.body as string)).toEqual({ name: "ada", password: "correct-horse" });
    expect(isSignedOut()).toBe(false);
    expect(told).toHaveBeenCalledOnce();
  });

  it.each([
    [refusal(401, "who are you"), "The name or the password is wrong."],
    [refusal(429, "too many tries; wait a minute"), "too many tries; wait a minute"],
    [new Response("<h1>Bad gateway</h1>", { status: 502 }), "The server answered 502."],
    [new Error("no network"), "The server does not answer."],
  ])("says why it was refused", async (answer, problem) => {
    vi.stubGlobal("fetch", answers(answer));
    signedOut();
    expect(await signIn(MOUNT, "ada", "wrong")).toEqual({ ok: false, problem });
    expect(isSignedOut()).toBe(true);
  });
});

describe("leaving", () => {
  it.each([204, 401])("is done with an answer of %d", async (status) => {
    const fetch = answers(new Response(null, { status }));
    vi.stubGlobal("fetch", fetch);
    expect(await signOut(MOUNT)).toEqual({ ok: true });
    expect(fetch.mock.calls[0]![0]).toBe("http://shop.example/ops/durable/logout");
    expect(isSignedOut()).toBe(true);
  });

  it("is not done while the server does not answer", async () => {
    vi.stubGlobal("fetch", answers(new Error("no network")));
    expect(await signOut(MOUNT)).toMatchObject({ ok: false });
    expect(isSignedOut()).toBe(false);
  });
});

describe("a refusal for want of a session", () => {
  it("is noticed wherever it comes, and what was refused is read again afterwards", async () => {
    let isKnown = false;
    // The client has taken the `fetch` of its time, so the answer is given one step higher.
    vi.spyOn(durable, "survey").mockImplementation(async () => {
      if (isKnown) return { runs: 1 } as never;
      const { DurableError } = await import("@durable/client");
      throw new DurableError({ type: "", title: "Who is there?", status: 401, detail: "no" });
    });
    const observer = new QueryObserver(queryClient, {
      queryKey: ["survey"],
      queryFn: () => durable.survey(),
    });
    const stop = observer.subscribe(() => {});
    await vi.waitFor(() => expect(isSignedOut()).toBe(true));
    isKnown = true;
    vi.stubGlobal("fetch", answers(new Response(null, { status: 204 })));
    await signIn(MOUNT, "ada", "correct-horse");
    await vi.waitFor(() => expect(observer.getCurrentResult().data).toEqual({ runs: 1 }));
    stop();
  });

  it("is not seen in other refusals", async () => {
    const { DurableError } = await import("@durable/client");
    const refused = queryClient.fetchQuery({
      queryKey: ["forbidden"],
      queryFn: () => {
        throw new DurableError({ type: "", title: "No", status: 403, detail: "no" });
      },
    });
    await expect(refused).rejects.toThrow("no");
    expect(isSignedOut()).toBe(false);
  });
});

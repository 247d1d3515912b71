/** Whether whoever looks is still known to the server, and how to become so. */
import { useSyncExternalStore } from "react";

/** What signing in may come to. */
export type SignedIn = { ok: true } | { ok: false; problem: string };

let isOut = false;
const listeners = new Set<() => void>();
const returns = new Set<() => void>();

function become(next: boolean): void {
  if (isOut === next) return;
  isOut = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Whether the server has said that it does not know who asks. */
export const useSignedOut = (): boolean => useSyncExternalStore(subscribe, () => isOut);

export const isSignedOut = (): boolean => isOut;

/** The server has answered 401, or whoever looked has left. */
export const signedOut = (): void => become(true);

/** Tells of each return, so that what was refused is read again. Returns what ends it. */
export function onReturn(listener: () => void): () => void {
  returns.add(listener);
  return () => returns.delete(listener);
}

/** The server knows who asks again: here, or in another tab. */
export function returned(): void {
  become(false);
  for (const listener of returns) listener();
}

const json = (body: unknown): RequestInit => ({
  method: "POST",
  credentials: "same-origin",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** Why a request was refused, in the server's words where it has any. */
async function problemOf(answer: Response): Promise<string> {
  if (answer.status === 401) return "The name or the password is wrong.";
  const told = (await answer.json().catch(() => undefined)) as { detail?: unknown } | undefined;
  return typeof told?.detail === "string" ? told.detail : `The server answered ${answer.status}.`;
}

/** Asks for a session. The page stays where it is: its address is where one returns to. */
export async function signIn(mount: string, name: string, password: string): Promise<SignedIn> {
  try {
    const answer = await fetch(`${mount}/login`, json({ name, password }));
    if (!answer.ok) return { ok: false, problem: await problemOf(answer) };
  } catch {
    return { ok: false, problem: "The server does not answer." };
  }
  returned();
  return { ok: true };
}

/** Ends the session. What was read with it has to be forgotten by the caller. */
export async function signOut(mount: string): Promise<SignedIn> {
  try {
    const answer = await fetch(`${mount}/logout`, json({}));
    // Who is not known any more has left already.
    if (!answer.ok && answer.status !== 401) {
      return { ok: false, problem: await problemOf(answer) };
    }
  } catch {
    return { ok: false, problem: "The server does not answer." };
  }
  signedOut();
  return { ok: true };
}

/** The library's own login, over the page that one came to. */
import { useQuery } from "@tanstack/react-query";
import { LogIn, LogOut, UserRound } from "lucide-react";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { metaQuery } from "../api/queries";
import { mountUrl } from "../lib/base";
import { signedOut, signIn, signOut } from "../lib/session";
import { Button, Field, INPUT } from "./kit";
import { toast } from "./toast";

/**
 * Asks who one is. It cannot be closed: nothing behind it can be read. The page behind it stays,
 * with whatever was being written on it.
 */
export function SignIn() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const heading = useId();
  const first = useRef<HTMLInputElement>(null);
  const second = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const it = dialog.current;
    if (it && !it.open) it.showModal();
    first.current?.focus();
  }, []);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const answer = await signIn(mountUrl, name, password);
    if (answer.ok) return;
    setBusy(false);
    setProblem(answer.problem);
    setPassword("");
    second.current?.focus();
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onCancel={(event) => event.preventDefault()}
      // Chromium closes on a second Esc, whatever the first one was told.
      onClose={() => dialog.current?.showModal()}
      className="sign-in rise m-auto w-[calc(100vw-24px)] max-w-sm rounded-dialog border border-line bg-page p-0 shadow-[var(--shadow)]"
    >
      <form className="flex flex-col gap-4 p-5" onSubmit={(event) => void submit(event)}>
        <div>
          <h2 id={heading} className="text-h1 font-semibold tracking-tight">
            Sign in
          </h2>
          <p className="mt-1 text-dim">You come back to the page that you asked for.</p>
        </div>
        <Field label="Name">
          {(id) => (
            <input
              id={id}
              ref={first}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              className={INPUT}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <div aria-live="assertive">
          <Field label="Password" error={problem}>
            {(id, note) => (
              <input
                id={id}
                ref={second}
                type="password"
                autoComplete="current-password"
                required
                aria-invalid={problem !== undefined}
                aria-describedby={note}
                className={INPUT}
                value={password}
                onChange={(event) => setPassword(event.target.value)}
              />
            )}
          </Field>
        </div>
        <Button type="submit" look="primary" icon={LogIn} busy={isBusy} className="h-8!">
          Sign in
        </Button>
      </form>
    </dialog>
  );
}

/** Who one is, and the way out. */
export function UserMenu() {
  const menu = useId();
  const { data: meta } = useQuery(metaQuery);
  const [isBusy, setBusy] = useState(false);
  const name = meta?.user ?? meta?.access.actor;
  if (meta === undefined) return null;
  if (!meta.login) {
    return name ? (
      <span className="hidden max-w-32 truncate text-dense text-dim lg:inline">{name}</span>
    ) : null;
  }
  if (meta.user == null) {
    return (
      <Button icon={LogIn} onClick={signedOut}>
        Sign in
      </Button>
    );
  }
  const leave = async () => {
    setBusy(true);
    const answer = await signOut(mountUrl);
    setBusy(false);
    document.getElementById(menu)?.hidePopover();
    if (!answer.ok) {
      toast(answer.problem, true);
      return;
    }
    // Nobody who comes next may read what the last one has seen, or was writing.
    location.reload();
  };
  return (
    <>
      <Button
        icon={UserRound}
        className="user-anchor max-w-40"
        popoverTarget={menu}
        aria-haspopup="dialog"
        aria-label={`Signed in as ${name}`}
      >
        <span className="hidden truncate lg:inline">{name}</span>
      </Button>
      <div
        id={menu}
        popover="auto"
        role="dialog"
        aria-label="Your session"
        className="user-menu m-0 w-56 max-w-[calc(100vw-24px)] rounded-card border border-line bg-page p-1 text-ink shadow-[var(--shadow)]"
      >
        <p className="truncate px-2 py-1.5 text-dense text-dim">
          Signed in as <span className="font-medium text-ink">{name}</span>
        </p>
        <button
          type="button"
          disabled={isBusy}
          className="flex h-8 w-full items-center gap-2 rounded-control px-2 text-left hover:bg-raised pointer-coarse:h-9"
          onClick={() => void leave()}
        >
          <LogOut aria-hidden size={14} className="text-dim" />
          Log out
        </button>
      </div>
    </>
  );
}

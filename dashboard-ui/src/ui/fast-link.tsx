/**
 * A link for long lists. The router's own link works out its address and watches the place at
 * which the reader is; in some hundred rows that is most of the work.
 */
import type { AnchorHTMLAttributes, MouseEvent } from "react";
import { basePath } from "../lib/base";
import { router } from "../router";

/** The address of a run's page. */
export const runHref = (id: string): string => `${basePath}/runs/${encodeURIComponent(id)}`;

/** The address of the list with a search. */
export const searchHref = (q: string): string => `${basePath}/runs?q=${encodeURIComponent(q)}`;

function follow(event: MouseEvent<HTMLAnchorElement>): void {
  const isOther = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (isOther || event.button !== 0 || event.defaultPrevented) return;
  event.preventDefault();
  router.history.push(event.currentTarget.getAttribute("href") ?? "");
}

export function FastLink(props: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  // biome-ignore lint/a11y/useValidAnchor: it leads to its address, without loading the page anew
  return <a {...props} onClick={follow} />;
}

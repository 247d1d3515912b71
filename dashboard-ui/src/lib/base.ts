/**
 * Where the host has put the app. The page's `<base>` says it; it is read once, before the router
 * changes the address.
 */
const base = new URL(document.baseURI);

/** The mount without a slash behind it; empty at the root of a host. */
export const basePath = base.pathname.replace(/\/+$/, "");

/** The mount's address, without a slash behind it. */
export const mountUrl = `${base.origin}${basePath}`;

/** The API's address. */
export const apiUrl = `${mountUrl}/api`;

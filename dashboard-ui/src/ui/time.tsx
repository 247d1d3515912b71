import { clock, duration, exact } from "../lib/format";
import { useNow } from "../lib/now";
import { useZone } from "../lib/settings";

/** A point in time; the whole of it stands in its title. */
export function At({ at }: { at: number }) {
  const zone = useZone();
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at, zone)}>
      {clock(at, zone, now)}
    </time>
  );
}

/** The same for long lists: it does not tick, and is written once. */
export function StillAt({ at }: { at: number }) {
  return clock(at, useZone(), Date.now());
}

/** How long ago, ticking. */
export function Ago({ at }: { at: number }) {
  const now = useNow();
  return <>{duration(now - at)} ago</>;
}

/** How long something took, or takes so far. */
export function Took({ from, to }: { from: number; to?: number | null }) {
  return to == null ? <Ticking from={from} /> : duration(to - from);
}

function Ticking({ from }: { from: number }) {
  const now = useNow();
  return <>{duration(now - from)}</>;
}

/** How long until then. */
export function Until({ at }: { at: number }) {
  const now = useNow();
  return at <= now ? <>now</> : <>in {duration(at - now)}</>;
}

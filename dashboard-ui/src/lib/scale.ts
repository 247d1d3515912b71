/**
 * The time axis of a timeline. Busy time is linear; a gap in which nothing was done is drawn as
 * short as it can be told apart, so that a run that waited two days shows its seconds.
 */

export interface Span {
  from: number;
  to: number;
  /** Waiting is no work: it does not keep a gap open. */
  isIdle: boolean;
}

export interface Gap {
  from: number;
  to: number;
}

export interface Scale {
  from: number;
  to: number;
  /** What was squeezed. */
  gaps: Gap[];
  /** The place of a point in time, from 0 to 1. */
  at(time: number): number;
}

/** A gap is squeezed if it is longer than this share of the whole. */
const LEAST_SHARE = 0.05;
/** The share of the width that a squeezed gap keeps. */
const KEPT_SHARE = 0.04;
/** The same for one at the end. */
const LAST_SHARE = 0.3;
/** All gaps together keep no more. */
const MOST_SHARE = 0.5;

export function scale(spans: Span[], from: number, to: number, squeeze: boolean): Scale {
  const end = Math.max(to, from + 1);
  const gaps = squeeze ? idle(spans, from, end) : [];
  const lost = gaps.reduce((sum, gap) => sum + (gap.to - gap.from), 0);
  const busy = end - from - lost;
  // A wait that still lasts, or was the last thing to happen, is what people look for.
  const wished = gaps.map((gap) => (gap.to === end ? LAST_SHARE : KEPT_SHARE));
  const sum = wished.reduce((total, share) => total + share, 0);
  // Without any work the gaps are all there is.
  const most = busy <= 0 ? 1 : Math.min(sum, MOST_SHARE);
  const shares = wished.map((share) => (share / Math.max(sum, Number.EPSILON)) * most);
  const busyShare = 1 - (gaps.length === 0 ? 0 : most);
  const work = (ms: number): number => (busy <= 0 ? 0 : (ms / busy) * busyShare);
  const at = (time: number): number => {
    const clamped = Math.min(Math.max(time, from), end);
    let place = 0;
    let reached = from;
    for (const [index, gap] of gaps.entries()) {
      if (clamped <= gap.from) break;
      place += work(gap.from - reached);
      place += Math.min(1, (clamped - gap.from) / (gap.to - gap.from)) * shares[index]!;
      reached = gap.to;
      if (clamped < gap.to) return place;
    }
    return Math.min(1, place + work(Math.max(0, clamped - reached)));
  };
  return { from, to: end, gaps, at };
}

/** The long stretches in which nothing worked. */
function idle(spans: Span[], from: number, to: number): Gap[] {
  const busy = spans.filter((span) => !span.isIdle).sort((a, b) => a.from - b.from);
  const least = (to - from) * LEAST_SHARE;
  const gaps: Gap[] = [];
  let reached = from;
  for (const span of busy) {
    if (span.from - reached > least) gaps.push({ from: reached, to: span.from });
    reached = Math.max(reached, span.to);
  }
  if (to - reached > least) gaps.push({ from: reached, to });
  // One gap over everything would leave nothing to see.
  return gaps.length === 1 && gaps[0]!.to - gaps[0]!.from >= to - from ? [] : gaps;
}

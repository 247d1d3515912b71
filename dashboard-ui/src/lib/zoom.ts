/** A part of a run's time, as the address says it: `1200-5000`, in milliseconds since its start. */
import type { Scale } from "./scale";

export interface Zoom {
  from: number;
  to: number;
}

/** Shorter parts show nothing. */
const LEAST_MS = 10;

export function readZoom(text: string | undefined): Zoom | undefined {
  const found = /^(\d{1,13})-(\d{1,13})$/.exec(text ?? "");
  if (found === null) return undefined;
  const zoom = { from: Number(found[1]), to: Number(found[2]) };
  return zoom.to - zoom.from >= LEAST_MS ? zoom : undefined;
}

/** Between two points in either order, within `length`; `undefined` for all of it, or for nothing. */
export function between(one: number, other: number, length: number): Zoom | undefined {
  const from = Math.max(0, Math.floor(Math.min(one, other)));
  const to = Math.min(Math.ceil(length), Math.ceil(Math.max(one, other)));
  const isAll = from === 0 && to >= length;
  return isAll || to - from < LEAST_MS ? undefined : { from, to };
}

export const writeZoom = ({ from, to }: Zoom): string => `${from}-${to}`;

/** Nearer to a point, or farther from it. */
export function around(zoom: Zoom, at: number, factor: number, length: number): Zoom | undefined {
  const half = ((zoom.to - zoom.from) * factor) / 2;
  if (half * 2 < LEAST_MS) return zoom;
  // Farther than all there is is all of it.
  if (half * 2 >= length) return undefined;
  const from = Math.min(Math.max(0, at - half), length - 2 * half);
  return between(from, from + 2 * half, length) ?? zoom;
}

/** The point in time at a place of an axis: the inverse of its `at`. */
export function timeAt(axis: Scale, place: number): number {
  let [from, to] = [axis.from, axis.to];
  for (let round = 0; round < 48; round += 1) {
    const middle = (from + to) / 2;
    if (axis.at(middle) < place) from = middle;
    else to = middle;
  }
  return to;
}

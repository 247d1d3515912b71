import { describe, expect, it } from "vitest";
import { scale } from "./scale";

const DAY = 86_400_000;
const busy = (from: number, to: number) => ({ from, to, isIdle: false });

describe("the time axis", () => {
  it("is linear without gaps", () => {
    const axis = scale([busy(0, 100)], 0, 100, true);
    expect(axis.gaps).toEqual([]);
    expect([0, 25, 50, 100].map(axis.at)).toEqual([0, 0.25, 0.5, 1]);
  });

  it("squeezes long waits", () => {
    const spans = [
      busy(0, 1_000),
      { from: 1_000, to: 2 * DAY, isIdle: true },
      busy(2 * DAY, 2 * DAY + 1_000),
    ];
    const axis = scale(spans, 0, 2 * DAY + 1_000, true);
    expect(axis.gaps).toEqual([{ from: 1_000, to: 2 * DAY }]);
    expect(axis.at(1_000)).toBeCloseTo(0.48, 2);
    expect(axis.at(2 * DAY)).toBeCloseTo(0.52, 2);
    expect(scale(spans, 0, 2 * DAY + 1_000, false).at(1_000)).toBeLessThan(0.001);
  });

  it("shows a wait that still lasts", () => {
    const spans = [busy(0, 200), { from: 200, to: 60_000, isIdle: true }];
    const axis = scale(spans, 0, 60_000, true);
    expect(axis.at(200)).toBeCloseTo(0.7, 2);
    expect(axis.at(60_000)).toBeCloseTo(1, 5);
  });

  it("never runs backwards and stays inside, whatever the spans", () => {
    let seed = 11;
    const next = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % n;
    };
    for (let round = 0; round < 300; round += 1) {
      const spans = Array.from({ length: next(12) }, () => {
        const from = next(10_000);
        return { from, to: from + next(500), isIdle: next(3) === 0 };
      });
      const axis = scale(spans, 0, 10_000, true);
      let last = 0;
      for (let time = 0; time <= 10_000; time += 250) {
        const at = axis.at(time);
        expect(at).toBeGreaterThanOrEqual(last - 1e-9);
        expect(at).toBeLessThanOrEqual(1 + 1e-9);
        last = at;
      }
      expect(axis.at(10_000)).toBeCloseTo(1, 5);
    }
  });
});

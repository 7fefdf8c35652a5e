/** Areas as asked, nothing outside, nothing twice. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Box, squarify } from "../../src/client/squarify.ts";

const sizes = fc
  .array(fc.oneof(fc.nat({ max: 5 }), fc.integer({ min: 0, max: 1e12 })), { minLength: 1, maxLength: 60 })
  .map((all) => all.sort((a, b) => b - a));
const side = fc.integer({ min: 1, max: 4000 });
const bounds = fc.record({ x: fc.nat(500), y: fc.nat(500), width: side, height: side });

/** Pixels that two boxes share. */
function shared(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

describe("a treemap", () => {
  it("has areas in proportion to the sizes", () => {
    fc.assert(
      fc.property(sizes, bounds, (all, box) => {
        const total = all.reduce((sum, size) => sum + size, 0);
        const area = box.width * box.height;
        const boxes = squarify(all, box);
        expect(boxes).toHaveLength(all.length);
        for (const [index, { width, height }] of boxes.entries()) {
          if (total > 0) expect(Math.abs((width * height) / area - (all[index] ?? 0) / total)).toBeLessThan(1e-6);
        }
      }),
    );
  });

  it("stays inside its bounds, and no two boxes overlap", () => {
    fc.assert(
      fc.property(sizes, bounds, (all, box) => {
        const boxes = squarify(all, box);
        const slack = 1e-6 * (box.width + box.height + 1);
        for (const one of boxes) {
          expect(one.x).toBeGreaterThanOrEqual(box.x - slack);
          expect(one.y).toBeGreaterThanOrEqual(box.y - slack);
          expect(one.x + one.width).toBeLessThanOrEqual(box.x + box.width + slack);
          expect(one.y + one.height).toBeLessThanOrEqual(box.y + box.height + slack);
        }
        for (const [index, one] of boxes.entries()) {
          for (const other of boxes.slice(index + 1)) {
            expect(shared(one, other)).toBeLessThan(1e-6 * box.width * box.height + slack);
          }
        }
      }),
    );
  });

  it("is the one of its inventors' example", () => {
    const boxes = squarify([6, 6, 4, 3, 2, 2, 1], { x: 0, y: 0, width: 6, height: 4 });
    const rounded = boxes.map(({ x, y, width, height }) => [x, y, width, height].map((n) => Math.round(n * 100) / 100));
    expect(rounded).toEqual([
      [0, 0, 3, 2],
      [0, 2, 3, 2],
      [3, 0, 1.71, 2.33],
      [4.71, 0, 1.29, 2.33],
      [3, 2.33, 1.2, 1.67],
      [4.2, 2.33, 1.2, 1.67],
      [5.4, 2.33, 0.6, 1.67],
    ]);
  });

  it("of nothing has boxes without area", () => {
    for (const { width, height } of squarify([0, 0], { x: 0, y: 0, width: 10, height: 5 })) {
      expect(width * height).toBe(0);
    }
  });

  it("stands on its own: its text is a program", () => {
    const alone: unknown = new Function(
      `return (${squarify.toString()})([3, 1], { x: 0, y: 0, width: 4, height: 1 })`,
    )();
    expect(alone).toEqual(squarify([3, 1], { x: 0, y: 0, width: 4, height: 1 }));
  });
});

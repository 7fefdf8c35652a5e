/**
 * Squarified treemaps (Bruls, Huizing, van Wijk 2000): rectangles with areas as asked, as square as they come. It is part of the
 * page of `list --usage --html` as it stands here, so nothing from outside may be used within.
 */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * One box a size, in the order of the sizes, which fill `box` together without overlap. `sizes`: the largest first, none negative.
 * What has no size gets a box without area.
 */
export function squarify(sizes: readonly number[], box: Box): Box[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const boxes: Box[] = [];
  let { x, y, width, height } = box;
  let left = total;
  for (let start = 0; start < sizes.length; ) {
    const side = Math.min(width, height);
    // Of the sizes from `start` on: an area of 1 is worth so much.
    const scale = left > 0 ? (width * height) / left : 0;
    let end = start;
    let row = 0;
    let worst = Number.POSITIVE_INFINITY;
    while (end < sizes.length) {
      const sum = row + (sizes[end] ?? 0) * scale;
      // The longest rectangle of the row is its first or its last.
      const first = ((sizes[start] ?? 0) * scale * side * side) / (sum * sum);
      const last = (sum * sum) / ((sizes[end] ?? 0) * scale * side * side);
      const ratio = Math.max(first, last);
      if (end > start && !(ratio <= worst)) break;
      worst = ratio;
      row = sum;
      end += 1;
    }
    // The last row takes what is left, to the last fraction of a pixel.
    const thick = end === sizes.length ? Math.max(width, height) : side > 0 ? row / side : 0;
    let along = 0;
    for (let index = start; index < end; index += 1) {
      const length = row > 0 ? (side * (sizes[index] ?? 0) * scale) / row : 0;
      boxes.push(
        width >= height
          ? { x, y: y + along, width: thick, height: length }
          : { x: x + along, y, width: length, height: thick },
      );
      along += length;
      left -= sizes[index] ?? 0;
    }
    if (width >= height) {
      x += thick;
      width = Math.max(0, width - thick);
    } else {
      y += thick;
      height = Math.max(0, height - thick);
    }
    start = end;
  }
  return boxes;
}

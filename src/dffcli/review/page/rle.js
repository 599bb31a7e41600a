/** COCO's compressed run lengths: masks stored column by column, runs of 0 and 1 in turn. */

/**
 * The run lengths in a string of COCO's own base-48 code, each number but the first two relative to the one two before.
 * @param {Uint8Array} bytes
 * @returns {number[]}
 */
export function runLengths(bytes) {
  const runs = [];
  let at = 0;
  while (at < bytes.length) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const code = bytes[at++] - 48;
      value |= (code & 0x1f) << shift;
      more = (code & 0x20) !== 0;
      shift += 5;
      if (!more && code & 0x10) value |= -1 << shift;
    }
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

/**
 * Paint a mask into RGBA pixels.
 * @param {Uint8Array} bytes its compressed run lengths
 * @param {Uint32Array} pixels of the picture, row by row
 * @param {number} color as the pixels have it
 */
export function paint(bytes, pixels, width, height, color) {
  let at = 0;
  let inside = false;
  for (const run of runLengths(bytes)) {
    if (inside) {
      const end = Math.min(at + run, width * height);
      for (let place = at; place < end; place++) {
        pixels[(place % height) * width + ((place / height) | 0)] = color;
      }
    }
    at += run;
    inside = !inside;
  }
}

/** A result as typed arrays: reads what `dffcli.review.columns.pack` wrote. */

const MAGIC = "DFFCOLS1";
const ALIGNMENT = 8; // bytes
const KINDS = { f4: Float32Array, f8: Float64Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array };

/**
 * @param {ArrayBuffer} buffer
 * @returns {{header: object, arrays: Object<string, ArrayLike<number>>}}
 */
export function unpack(buffer) {
  const magic = new TextDecoder("latin1").decode(new Uint8Array(buffer, 0, MAGIC.length));
  if (magic !== MAGIC) throw new Error("not the data of a result");
  const length = new DataView(buffer).getUint32(MAGIC.length, true);
  const start = MAGIC.length + 4;
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, start, length)));
  const base = start + length + ((ALIGNMENT - ((start + length) % ALIGNMENT)) % ALIGNMENT);
  const arrays = {};
  for (const [name, place] of Object.entries(header.arrays)) {
    arrays[name] = new KINDS[place.kind](buffer, base + place.offset, place.length);
  }
  return { header, arrays };
}

/** The position of the last value of a rising array that is at most `wanted`; -1 if there is none. */
export function lastAtMost(rising, wanted, length = rising.length) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The position of the value of a rising array nearest to `wanted`. */
export function nearest(rising, wanted) {
  const below = lastAtMost(rising, wanted);
  if (below < 0) return 0;
  if (below === rising.length - 1) return below;
  return wanted - rising[below] <= rising[below + 1] - wanted ? below : below + 1;
}

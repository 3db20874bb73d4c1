/** Just enough of protobuf's wire format to read the details of an error, which Connect sends in binary. */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/**
 * Reads a message of a known shape. A field that the shape does not name is skipped; bytes that break off end it.
 *
 * @param {Uint8Array} bytes
 * @param {object} shape field number -> [name, "string" | names of an enum | shape of a message, "repeated"?]
 * @returns {Record<string, any>}
 */
export function decode(bytes, shape) {
  const out = {};
  let place = 0;

  function varint() {
    let value = 0;
    for (let factor = 1; place < bytes.length; factor *= 128) {
      const byte = bytes[place++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    return value;
  }

  while (place < bytes.length) {
    const tag = varint();
    const type = tag % 8;
    const field = shape[Math.floor(tag / 8)];
    if (type === VARINT) {
      const value = varint();
      if (field && Array.isArray(field[1])) out[field[0]] = field[1][value] ?? value;
    } else if (type === LENGTH) {
      const size = varint();
      const part = bytes.subarray(place, place + size);
      place += size;
      if (field) store(out, field, part);
    } else if (type === FIXED64) place += 8;
    else if (type === FIXED32) place += 4;
    else break;
  }
  return out;
}

function store(out, [name, kind, repeated], part) {
  const value = kind === "string" ? new TextDecoder().decode(part) : decode(part, kind);
  if (repeated) (out[name] ??= []).push(value);
  else out[name] = value;
}

/** Splits a multipart/x-mixed-replace body into its parts, however the bytes arrive, in bounded memory. */

const LONGEST_HEAD = 4096;
const LARGEST_PART = 32 * 1024 * 1024;

/**
 * Each part must state its content-length, as the daemon's do.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncIterableIterator<{headers: Map<string, string>, bytes: Uint8Array}>}
 * @throws {Error} on a part that cannot be read
 */
export async function* parts(body) {
  const reader = body.getReader();
  let buffer = new Uint8Array(65536);
  let start = 0;
  let end = 0;

  function put(piece) {
    if (end + piece.length > buffer.length) {
      const larger = end - start + piece.length > buffer.length ? new Uint8Array(2 * (end - start + piece.length)) : buffer;
      larger.set(buffer.subarray(start, end));
      [buffer, end, start] = [larger, end - start, 0];
    }
    buffer.set(piece, end);
    end += piece.length;
  }

  async function more() {
    const { done, value } = await reader.read();
    if (!done) put(value);
    return !done;
  }

  try {
    for (;;) {
      let size;
      while ((size = headSize(buffer.subarray(start, end))) < 0) {
        if (end - start > LONGEST_HEAD) throw new Error("a part of the picture stream has no end of its head");
        if (!(await more())) return;
      }
      const headers = headersOf(buffer.subarray(start, start + size));
      const length = Number(headers.get("content-length") ?? Number.NaN);
      if (!(length >= 0 && length <= LARGEST_PART)) throw new Error("a part of the picture stream does not state its length");
      start += size;
      while (end - start < length) if (!(await more())) return;
      yield { headers, bytes: buffer.slice(start, start + length) };
      start += length;
    }
  } finally {
    await reader.cancel().catch(() => {}); // it has ended or broken already: there is nothing left to hang up
  }
}

/** Bytes up to and with the empty line; -1 when it has not come yet. */
function headSize(bytes) {
  for (let at = 3; at < bytes.length; at++) {
    if (bytes[at] === 10 && bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13) {
      if (at > 3) return at + 1;
    }
  }
  return -1;
}

function headersOf(bytes) {
  const headers = new Map();
  for (const line of new TextDecoder("latin1").decode(bytes).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

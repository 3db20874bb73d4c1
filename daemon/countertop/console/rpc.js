/** Connect's JSON protocol over fetch: unary calls and server streams. https://connectrpc.com/docs/protocol */
import { RpcError, errorFromBody, errorFromStatus } from "./rpc_error.js";

export { RpcError };

const END_OF_STREAM = 0x02;
const COMPRESSED = 0x01;
const HEADER = 5;
const LARGEST_MESSAGE = 16 * 1024 * 1024;

/**
 * @param {object} options
 * @param {string} [options.base] where the services are: "" for the page's own origin
 * @param {string | (() => string | null)} options.token the bearer token, or what gives it for each call
 * @param {(error: RpcError) => void} [options.onUnauthorised] told of each call that was refused for its token
 */
export function createRpc({ base = "", token, onUnauthorised = () => {} }) {
  const bearer = () => (typeof token === "function" ? token() : token);

  /** fetch with the token, for what is not a call, such as a camera's stream. */
  async function fetchPath(path, options = {}) {
    const headers = { ...options.headers };
    const value = bearer();
    if (value) headers.authorization = `Bearer ${value}`;
    try {
      return await fetch(base + path, { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers });
    } catch (error) {
      if (options.signal?.aborted) throw broken(error, options.signal);
      throw new RpcError("unavailable", `The terminal does not answer: ${error.message}.`, { cause: error });
    }
  }

  /** Throws what a refused response says. */
  async function check(response) {
    if (response.ok) return;
    let body = null;
    try {
      body = await response.json();
    } catch {
      body = null; // what stands before the daemon may answer with anything; the status says enough
    }
    throw tell(body?.code ? errorFromBody(body) : errorFromStatus(response.status));
  }

  function tell(error) {
    if (error.code === "unauthenticated") onUnauthorised(error);
    return error;
  }

  /**
   * @param {string} method "countertop.v1.DeviceService/ListDevices"
   * @param {object} [request]
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<any>}
   */
  async function call(method, request = {}, { signal } = {}) {
    const response = await fetchPath(`/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", "connect-protocol-version": "1" },
      body: JSON.stringify(request),
      signal,
    });
    await check(response);
    try {
      return await response.json();
    } catch (error) {
      throw broken(error, signal);
    }
  }

  /**
   * Leaving the loop early hangs up. `onOpen` is called when the daemon has taken the call.
   * @param {string} method
   * @param {object} [request]
   * @param {{signal?: AbortSignal, onOpen?: () => void}} [options]
   * @returns {AsyncIterableIterator<any>}
   */
  async function* stream(method, request = {}, { signal, onOpen = () => {} } = {}) {
    const hangUp = new AbortController();
    const giveUp = () => hangUp.abort();
    if (signal?.aborted) giveUp();
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      const response = await fetchPath(`/${method}`, {
        method: "POST",
        headers: { "content-type": "application/connect+json", "connect-protocol-version": "1" },
        body: envelope(request),
        signal: hangUp.signal,
      });
      await check(response);
      onOpen();
      yield* messages(response.body, hangUp.signal, tell);
    } finally {
      signal?.removeEventListener("abort", giveUp);
      hangUp.abort();
    }
  }

  return { call, stream, fetch: fetchPath, check };
}

/** A connection that broke: at the page's own wish, or not. */
function broken(error, signal) {
  if (signal?.aborted) return new RpcError("canceled", "The call was given up.", {});
  return new RpcError("unavailable", `The connection broke: ${error.message}.`, { cause: error });
}

/** @param {object} message */
function envelope(message) {
  const json = new TextEncoder().encode(JSON.stringify(message));
  const bytes = new Uint8Array(HEADER + json.length);
  new DataView(bytes.buffer).setUint32(1, json.length);
  bytes.set(json, HEADER);
  return bytes;
}

/** The messages of a stream; throws the error that its end carries. */
async function* messages(body, signal, tell) {
  const decoder = new TextDecoder();
  for await (const { flags, bytes } of envelopes(body, signal)) {
    if (flags & COMPRESSED) throw new RpcError("internal", "The terminal sent a compressed message unasked.", {});
    const message = JSON.parse(decoder.decode(bytes));
    if (!(flags & END_OF_STREAM)) {
      yield message;
      continue;
    }
    if (message.error) throw tell(errorFromBody(message.error));
    return;
  }
  throw new RpcError("unavailable", "The stream broke before its end.", {});
}

/** Splits bytes, however they arrive, into envelopes. */
export async function* envelopes(body, signal) {
  const reader = body.getReader();
  let chunks = [];
  let have = 0;

  /** Takes `size` bytes from what has come; each byte is copied once. */
  function take(size) {
    const out = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const chunk = chunks[0];
      const part = Math.min(chunk.length, size - filled);
      out.set(chunk.subarray(0, part), filled);
      filled += part;
      if (part === chunk.length) chunks.shift();
      else chunks[0] = chunk.subarray(part);
    }
    have -= size;
    return out;
  }

  /** Reads until `size` bytes are there; false at the end. */
  async function want(size) {
    while (have < size) {
      let piece;
      try {
        piece = await reader.read();
      } catch (error) {
        throw broken(error, signal);
      }
      if (piece.done) return false;
      chunks.push(piece.value);
      have += piece.value.length;
    }
    return true;
  }

  while (await want(HEADER)) {
    const header = take(HEADER);
    const size = new DataView(header.buffer).getUint32(1);
    if (size > LARGEST_MESSAGE) throw new RpcError("internal", `A message of ${size} bytes is too large.`, {});
    if (!(await want(size))) return;
    yield { flags: header[0], bytes: take(size) };
  }
}

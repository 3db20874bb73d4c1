/**
 * Follows an operation to its end. Its id is chosen here; when the stream is lost the same request with the same id is
 * sent again, so that the daemon goes on telling about that very operation and nothing is done twice.
 */

const WAITS = [300, 1000, 2000, 4000, 8000];

/** The stream was lost and did not come back: nobody here knows how the operation went. */
export function isLoss(error) {
  return error?.code === "unavailable" && !error.reason;
}

/**
 * @param {{rpc: object, ownClaims?: object}} context the page's claims, where it has some, are what it runs under
 * @param {string} method
 * @param {{options: {operationId: string, epoch: string}}} request with its operation's id, and the epoch of its first sending
 * @param {{signal: AbortSignal, onLost?: () => void}} how
 * @returns {AsyncIterableIterator<any>} the responses; throws the RpcError that ended it
 */
export async function* follow({ rpc, ownClaims }, method, request, { signal, onLost = () => {} }) {
  for (let lost = 0; ; ) {
    const claimToken = ownClaims?.tokenFor(request.deviceId);
    const sent = { ...request, options: { ...request.options, ...(claimToken ? { claimToken } : {}) } };
    try {
      for await (const response of rpc.stream(method, sent, { signal })) {
        lost = 0;
        yield response;
      }
      return;
    } catch (error) {
      if (!isLoss(error) || signal.aborted || lost >= WAITS.length) throw error;
      onLost();
      await pause(WAITS[lost++], signal);
    }
  }
}

/** The journal's epoch now: an operation carries the one of its first sending, so that it is never begun a second time. */
export async function epochNow({ rpc }, signal) {
  const { terminal } = await rpc.call("countertop.v1.DeviceService/GetTerminal", {}, { signal });
  return terminal.epoch;
}

/** Waits; throws the signal's reason when it is aborted. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(signal.reason);
    }
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Waits for an event for which `wanted` holds. Throws the signal's reason when it is aborted. */
export function eventOf(target, type, signal, wanted = () => true) {
  return new Promise((resolve, reject) => {
    function end() {
      target.removeEventListener(type, heard);
      signal.removeEventListener("abort", stop);
    }
    function heard(event) {
      if (!wanted(event)) return;
      end();
      resolve(event);
    }
    function stop() {
      end();
      reject(signal.reason);
    }
    target.addEventListener(type, heard);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** What the page does to devices and operations, and what it learned that its role may not do. */
import { newId } from "./dom.js";
import { RpcError } from "./rpc_error.js";

export const DEVICES = "countertop.v1.DeviceService";
export const OPERATIONS = "countertop.v1.OperationService";
export const CLAIMS = "countertop.v1.ClaimService";

/**
 * @param {object} parts
 * @param {ReturnType<typeof import("./rpc.js").createRpc>} parts.rpc
 * @param {ReturnType<typeof import("./store.js").createStore>} parts.store
 * @param {import("./own_claims.js").OwnClaims} parts.ownClaims
 */
export function createActs({ rpc, store, ownClaims }) {
  /** @type {Map<string, RpcError>} what was refused to the role, by method and device */
  const refused = new Map();
  const place = (method, deviceId = "") => `${method} ${deviceId}`;
  ownClaims.addEventListener("change", () => refused.clear()); // a role may be allowed to do more under a claim

  function note(error, method, deviceId) {
    if (error.code === "permission_denied") refused.set(place(method, deviceId), error);
    return error;
  }

  /** A unary call whose refusal is remembered. */
  async function call(method, request, options) {
    try {
      return await rpc.call(method, request, options);
    } catch (error) {
      throw note(error, method, request.deviceId);
    }
  }

  /** Runs a verb on a device to its end and answers with its result; under the page's claim where it holds one. */
  async function run(method, request) {
    const options = { operationId: newId(), claimToken: ownClaims.tokenFor(request.deviceId), epoch: store.terminal?.epoch };
    let last = null;
    try {
      for await (const response of rpc.stream(method, { ...request, options })) {
        if (response.operation) store.takeOperation(response.operation);
        last = response.result ?? last;
      }
    } catch (error) {
      throw note(error, method, request.deviceId);
    }
    if (!last) throw new RpcError("internal", "The operation ended without a result.", {});
    return last;
  }

  return {
    call,
    /** The refusal with which the role was turned away before; undefined when it was not. */
    refusal: (method, deviceId) => refused.get(place(method, deviceId)),
    refusals: () => [...refused],
    checkHealth: (deviceId, level) => run(`${DEVICES}/CheckHealth`, { deviceId, level }),
    reset: (deviceId) => run(`${DEVICES}/ResetDevice`, { deviceId }),
    setMaintenance: (deviceId, maintenance, reason) =>
      call(`${DEVICES}/SetMaintenance`, { deviceId, maintenance, reason }),
    async cancel(operationId) {
      const answer = await call(`${OPERATIONS}/CancelOperation`, { operationId });
      if (answer.operation) store.takeOperation(answer.operation);
      return answer.outcome;
    },
    async resolve(operationId, { finding, reason, by }) {
      const { operation } = await call(`${OPERATIONS}/ResolveOperation`, { operationId, finding, reason, by });
      store.takeOperation(operation);
    },
    revoke: (claimId, { reason, by }) => call(`${CLAIMS}/RevokeClaim`, { claimId, reason, by }),
  };
}

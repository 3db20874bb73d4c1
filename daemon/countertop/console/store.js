/**
 * Everything that the page knows of the terminal, from ONE event stream: it goes on from its bookmark after each break,
 * so that nothing is lost, and tells its listeners what changed.
 */
import { RpcError } from "./rpc_error.js";
import { TerminalState, noChange } from "./store_state.js";

const DEVICES = "countertop.v1.DeviceService";
const OPERATIONS = "countertop.v1.OperationService";
const HEARTBEAT_SECONDS = 3;
const SILENCE = 4 * HEARTBEAT_SECONDS * 1000;
const FIRST_WAIT = 400;
const LONGEST_WAIT = 8000;
const REFUSED_WAIT = 30000;
const SETTLED = 3000;
const HISTORY = 200;

/**
 * @param {ReturnType<typeof import("./rpc.js").createRpc>} rpc
 */
export function createStore(rpc) {
  const state = new TerminalState();
  const listeners = new Set();
  const connection = { state: "connecting", error: null, retryAt: 0, attempts: 0, since: Date.now() };
  let terminal = null;
  let refusals = {};
  let pending = noChange();
  let due = false;
  let stopped = false;
  let wake = () => {};
  let current = null;

  /** Listeners are told at most once a frame's time, with all that changed meanwhile. */
  function tell(change) {
    for (const id of change.devices) pending.devices.add(id);
    for (const id of change.operations) pending.operations.add(id);
    for (const name of ["claims", "events", "connection", "terminal"]) pending[name] ||= change[name];
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      const told = pending;
      pending = noChange();
      for (const listener of [...listeners]) listener(told);
    }, 16);
  }

  function connectionIs(word, error = null, retryAt = 0) {
    const change = { ...noChange(), connection: true };
    const was = connection.state;
    Object.assign(connection, { state: word, error, retryAt, since: was === word ? connection.since : Date.now() });
    if (was !== word && (word === "live" || (was === "live" && word !== "stopped"))) {
      state.log({ type: "connection", connection: word }, change);
    }
    tell(change);
  }

  /** Follows the stream until it breaks. Throws what broke it. */
  async function follow() {
    current = new AbortController();
    let watchdog;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => current.abort(), SILENCE);
    };
    const request = { heartbeatSeconds: HEARTBEAT_SECONDS, ...(state.bookmark ? { bookmark: state.bookmark, snapshotOnGap: true } : {}) };
    const onOpen = () => state.synced && arrived();
    try {
      alive();
      for await (const response of rpc.stream(`${DEVICES}/WatchEvents`, request, { signal: current.signal, onOpen })) {
        alive();
        const epoch = response.bookmark?.split(":")[0];
        const change = noChange();
        if (state.bookmark && epoch && epoch !== state.bookmark.split(":")[0]) state.forget(change);
        tell(change);
        tell(state.apply(response));
        if (state.synced) arrived();
      }
    } finally {
      clearTimeout(watchdog);
    }
    throw new RpcError("unavailable", "The event stream ended.", {});
  }

  function arrived() {
    if (connection.state === "live") return;
    connectionIs("live");
    load();
  }

  /** What the stream does not tell: the terminal's facts, and operations that ended before. */
  async function load() {
    refusals = {};
    await Promise.all([loadTerminal(), loadHistory()]);
    tell({ ...noChange(), terminal: true });
  }

  async function loadTerminal() {
    try {
      terminal = (await rpc.call(`${DEVICES}/GetTerminal`)).terminal;
    } catch (error) {
      refusals.terminal = error;
    }
  }

  async function loadHistory() {
    try {
      const { operations = [] } = await rpc.call(`${OPERATIONS}/ListOperations`, { pageSize: HISTORY });
      const change = noChange();
      for (const operation of operations) state.takeOperation(operation, change);
      tell(change);
    } catch (error) {
      refusals.operations = error;
    }
  }

  async function run() {
    let wait = FIRST_WAIT;
    while (!stopped) {
      const began = Date.now();
      try {
        await follow();
      } catch (error) {
        if (stopped) return;
        if (error.code === "unauthenticated") return connectionIs("unauthorised", error);
        if (error.reason === "BOOKMARK_INVALID") state.bookmark = "";
        if (Date.now() - began > SETTLED) wait = FIRST_WAIT;
        const refused = error.code === "permission_denied";
        const pause = refused ? REFUSED_WAIT : wait * (0.75 + Math.random() / 2);
        connection.attempts += 1;
        connectionIs(refused ? "refused" : "reconnecting", error, Date.now() + pause);
        await waitFor(pause);
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  function waitFor(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  const store = {
    state,
    connection,
    get terminal() {
      return terminal;
    },
    /** What the role may not see: {terminal?: RpcError, operations?: RpcError}. */
    get refusals() {
      return refusals;
    },
    /** Newest last; see store_log.js. */
    get events() {
      return state.events;
    },
    /** All devices, in the configuration's order. */
    devices: () => [...state.devices.values()],
    device: (id) => state.devices.get(id),
    /** Newest first. */
    operations: () => state.newestFirst(),
    operation: (id) => state.operations.get(id),
    /** Those that stand or wait. */
    claims: () => [...state.claims.values()],

    /** Begins to follow; does nothing when it does already. */
    start() {
      stopped = false;
      run();
      globalThis.addEventListener?.("online", store.retry);
    },
    stop() {
      stopped = true;
      globalThis.removeEventListener?.("online", store.retry);
      current?.abort();
      wake();
    },
    /** Tries again at once instead of waiting. */
    retry: () => wake(),
    /** Asks again for what the stream does not tell. */
    load,
    /** Takes in an operation that a call answered with. */
    takeOperation(operation) {
      const change = noChange();
      state.takeOperation(operation, change);
      tell(change);
    },

    /** Calls back with what changed (see store_state.js); answers with what ends that. */
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Calls back when any device changed. */
    onDevices: (callback) => store.subscribe((change) => change.devices.size && callback(store.devices())),
    /** Calls back for each operation that changed. */
    onOperation: (callback) =>
      store.subscribe((change) => {
        for (const id of change.operations) if (state.operations.has(id)) callback(state.operations.get(id));
      }),
  };
  return store;
}

/** The terminal as the event stream tells it: messages go in one by one, and what changed comes out. No I/O. */
import { entriesOf } from "./store_log.js";

const MOST_EVENTS = 500;
const MOST_OPERATIONS = 500;
const CLAIM_ENDS = new Set(["CLAIM_STATE_ENDED", "CLAIM_STATE_REVOKED"]);
export const FINAL_STATES = new Set([
  "OPERATION_STATE_SUCCEEDED",
  "OPERATION_STATE_FAILED",
  "OPERATION_STATE_CANCELLED",
  "OPERATION_STATE_UNCERTAIN",
]);

/** What a message changed: ids of devices and operations, and whether the rest did. */
export function noChange() {
  return { devices: new Set(), operations: new Set(), claims: false, events: false, connection: false, terminal: false };
}

export class TerminalState {
  /** @type {Map<string, any>} by id, in the configuration's order */
  devices = new Map();
  /** @type {Map<string, any>} by id; `newestFirst` sorts them */
  operations = new Map();
  /** @type {Map<string, any>} those that stand or wait, in the order of asking */
  claims = new Map();
  /** The newest last; see store_log.js for what an entry is. */
  events = [];
  /** `epoch:sequence` of the last message; "" before the first. */
  bookmark = "";
  /** Number of the last event that is known; null before the first message. */
  sequence = null;
  /** Whether a whole picture is there. */
  synced = false;
  /** How often events were missing: the daemon said so (gaps), or the numbers did (holes). */
  gaps = 0;
  holes = 0;
  #snapshotted = false;
  #entries = 0;

  /** Takes in one WatchEventsResponse. */
  apply(response) {
    const change = noChange();
    const sequence = Number(response.sequence ?? 0);
    if (response.snapshot) this.#snapshot(response.snapshot, sequence, change);
    else if (response.gap) this.#gap(change);
    else if (response.event) {
      if (this.sequence !== null && sequence <= this.sequence) return change;
      this.#expect(sequence - 1, change);
      this.#event(response.event, sequence, change);
    } else if (response.heartbeat) this.#expect(sequence, change);
    this.sequence = sequence;
    if (response.bookmark) this.bookmark = response.bookmark;
    if (!this.synced && (response.synced || this.#snapshotted)) {
      this.synced = true;
      change.connection = true;
    }
    return change;
  }

  /** The events up to `last` should be known by now: a hole is counted and told. */
  #expect(last, change) {
    if (this.sequence === null || this.sequence >= last) return;
    this.holes += 1;
    this.log({ type: "hole", missing: last - this.sequence, from: this.sequence + 1, to: last }, change);
  }

  #gap(change) {
    this.gaps += 1;
    this.log({ type: "gap" }, change);
  }

  #snapshot({ devices = [], operations = [], claims = [] }, sequence, change) {
    for (const id of this.devices.keys()) change.devices.add(id);
    this.devices = new Map(devices.map((device) => [device.id, device]));
    for (const id of this.devices.keys()) change.devices.add(id);
    const running = new Set(operations.map(({ id }) => id));
    for (const [id, operation] of this.operations) {
      if (FINAL_STATES.has(operation.state) || running.has(id)) continue;
      this.operations.delete(id); // it ended unseen; the list of past operations brings it back as it ended
      change.operations.add(id);
    }
    for (const operation of operations) this.takeOperation(operation, change);
    this.claims = new Map(claims.map((claim) => [claim.id, claim]));
    change.claims = true;
    this.sequence = sequence;
    this.#snapshotted = true;
  }

  #event(event, sequence, change) {
    for (const entry of entriesOf(event, this)) this.log({ ...entry, sequence, time: event.time }, change);
    if (event.deviceChanged) this.#takeDevice(event.deviceChanged, change);
    else if (event.operationChanged) this.takeOperation(event.operationChanged, change);
    else if (event.mediaChanged) this.#takeMedia(event.mediaChanged, change);
    else if (event.claimChanged) this.#takeClaim(event.claimChanged, change);
  }

  #takeDevice(device, change) {
    this.devices.set(device.id, device);
    change.devices.add(device.id);
  }

  #takeMedia({ deviceId, media = "MEDIA_STATE_UNSPECIFIED" }, change) {
    const device = this.devices.get(deviceId);
    if (device) this.#takeDevice({ ...device, status: { ...device.status, media } }, change);
  }

  #takeClaim(claim, change) {
    if (CLAIM_ENDS.has(claim.state)) this.claims.delete(claim.id);
    else this.claims.set(claim.id, claim);
    change.claims = true;
  }

  /** Takes an operation, from the stream or from a call, unless a newer one is known. */
  takeOperation(operation, change) {
    const known = this.operations.get(operation.id);
    if (known && Number(known.revision ?? 0) >= Number(operation.revision ?? 0)) return;
    this.operations.set(operation.id, operation);
    change.operations.add(operation.id);
    if (this.operations.size > MOST_OPERATIONS) this.#forgetOldest();
  }

  #forgetOldest() {
    const ended = this.newestFirst().filter(({ state }) => FINAL_STATES.has(state));
    for (const { id } of ended.slice(-Math.max(1, this.operations.size - MOST_OPERATIONS))) this.operations.delete(id);
  }

  newestFirst() {
    return [...this.operations.values()].sort((one, other) => stamp(other) - stamp(one));
  }

  /** Adds to what happened; the oldest make room. */
  log(entry, change) {
    this.events.push({ time: new Date().toISOString(), deviceIds: [], minor: false, ...entry, id: ++this.#entries });
    if (this.events.length > MOST_EVENTS) this.events.splice(0, this.events.length - MOST_EVENTS);
    change.events = true;
  }

  /** Another journal answers: nothing of before is known there. */
  forget(change) {
    for (const id of this.operations.keys()) change.operations.add(id);
    this.operations.clear();
    this.synced = this.#snapshotted = false;
    this.sequence = null;
    this.bookmark = "";
  }
}

function stamp({ created }) {
  return created ? Date.parse(created) : 0;
}

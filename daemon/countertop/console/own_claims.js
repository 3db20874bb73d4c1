/** The claims that this page holds or waits for: each is a stream, kept open for as long as the page wants the devices. */
import { newId } from "./dom.js";

const CLAIMS = "countertop.v1.ClaimService";
const RETRY = 1000;

/**
 * A claim of the page: `state` is "asking", "waiting", "held", "lost" (its stream broke; taken up again within the
 * grace time) or "ended" (with `error` where it did not end at the page's wish).
 */
export class OwnClaim {
  key = newId();
  state = "asking";
  position = 0;
  holders = [];
  token = "";
  /** Somebody waits for the devices: {by, deadline (ms), revokedWithoutAnswer}; null when nobody does. */
  handover = null;
  error = null;
  yielded = false;
  abort = new AbortController();

  constructor(deviceIds, label, waitSeconds) {
    this.deviceIds = deviceIds;
    this.label = label;
    this.waitSeconds = waitSeconds;
  }
}

/** Fires "change" whenever a claim of the page is another than before. */
export class OwnClaims extends EventTarget {
  #rpc;
  /** @type {OwnClaim[]} */
  list = [];

  constructor(rpc) {
    super();
    this.#rpc = rpc;
  }

  /** The token under which a device is used; undefined when the page does not hold it. */
  tokenFor(deviceId) {
    return this.list.find(({ state, deviceIds }) => state === "held" && deviceIds.includes(deviceId))?.token || undefined;
  }

  /** Asks for devices and keeps them. */
  ask(deviceIds, label, waitSeconds) {
    const claim = new OwnClaim(deviceIds, label, waitSeconds);
    this.list = [...this.list.filter(({ state }) => state !== "ended"), claim];
    this.#changed();
    this.#keep(claim);
    return claim;
  }

  /** Gives a claim back, or no longer waits for it. */
  async release(claim) {
    if (claim.token) await this.#rpc.call(`${CLAIMS}/ReleaseClaim`, { token: claim.token });
    claim.abort.abort();
    this.forget(claim);
  }

  /** Answers who waits: yield the devices, or keep them. */
  async answer(claim, yieldDevices) {
    await this.#rpc.call(`${CLAIMS}/AnswerHandover`, { token: claim.token, yieldDevices });
    claim.handover = null;
    claim.yielded = yieldDevices;
    this.#changed();
  }

  forget(claim) {
    this.list = this.list.filter((one) => one !== claim);
    this.#changed();
  }

  async #keep(claim) {
    let deadline = 0;
    while (!claim.abort.signal.aborted) {
      try {
        for await (const update of this.#stream(claim)) {
          this.#take(claim, update);
          deadline = 0;
        }
        return this.#ended(claim, null);
      } catch (error) {
        if (claim.abort.signal.aborted) return;
        const lost = claim.token && error.code === "unavailable" && !error.reason;
        deadline ||= Date.now() + (claim.graceMs ?? 0);
        if (!lost || Date.now() > deadline) return this.#ended(claim, error);
        claim.state = "lost";
        this.#changed();
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  #stream(claim) {
    const { deviceIds, label, waitSeconds, token } = claim;
    const request = { deviceIds, label, wait: `${waitSeconds}s`, ...(token ? { resumeToken: token } : {}) };
    return this.#rpc.stream(`${CLAIMS}/Claim`, request, { signal: claim.abort.signal });
  }

  #take(claim, { queued, granted, handoverRequested }) {
    if (queued) Object.assign(claim, { state: "waiting", position: queued.position ?? 0, holders: queued.holders ?? [] });
    if (granted) {
      Object.assign(claim, { state: "held", token: granted.token, graceMs: seconds(granted.grace) * 1000, handover: null });
    }
    if (handoverRequested) {
      const { by, answerWithin, revokedWithoutAnswer = false } = handoverRequested;
      claim.handover = { by, deadline: Date.now() + seconds(answerWithin) * 1000, revokedWithoutAnswer };
    }
    this.#changed();
  }

  #ended(claim, error) {
    Object.assign(claim, { state: "ended", error: claim.yielded ? null : error, handover: null, token: "" });
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** A Duration of JSON, "5.5s". */
function seconds(text = "0s") {
  return Number.parseFloat(text);
}

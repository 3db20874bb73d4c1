/** What a refused call says: Connect's error with the details of google.rpc.Status, in the daemon's words. */
import { decode } from "./wire.js";

const REASON_DOMAIN = "countertop";
const CODES_BY_STATUS = {
  400: "internal",
  401: "unauthenticated",
  403: "permission_denied",
  404: "unimplemented",
  408: "deadline_exceeded",
  421: "permission_denied",
  429: "unavailable",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

const FIXED_BY = ["UNSPECIFIED", "CUSTOMER", "TELLER", "ENGINEER", "DEVELOPER"].map((word) => `FIXED_BY_${word}`);
const EFFECTS = ["UNSPECIFIED", "NONE", "PARTIAL", "COMPLETE", "UNKNOWN"].map((word) => `PHYSICAL_EFFECT_${word}`);

/** The details that the console reads, by field number: name, and how it is to be read. */
const DETAILS = {
  "google.rpc.ErrorInfo": { 1: ["reason", "string"], 2: ["domain", "string"] },
  "google.rpc.LocalizedMessage": { 1: ["locale", "string"], 2: ["message", "string"] },
  "google.rpc.BadRequest": {
    1: ["fieldViolations", { 1: ["field", "string"], 2: ["description", "string"] }, "repeated"],
  },
  "countertop.v1.DeviceFault": {
    1: ["deviceId", "string"],
    3: ["step", "string"],
    4: ["expected", "string"],
    5: ["got", "string"],
    6: ["fixedBy", FIXED_BY],
    7: ["action", "string"],
    8: ["physicalEffect", EFFECTS],
  },
};

export class RpcError extends Error {
  /**
   * @param {string} code Connect's word for the status: "not_found"
   * @param {string} message a sentence, in English
   * @param {object} parts
   */
  constructor(code, message, { reason = "", deviceFault = null, violations = [], sentences = {}, cause } = {}) {
    super(message, { cause });
    this.name = "RpcError";
    /** @type {string} */
    this.code = code;
    /** The Reason without its prefix, as ErrorInfo carries it: "DEVICE_OFFLINE"; "" when the daemon gave none. */
    this.reason = reason;
    /** The device's side of it: {deviceId, step, expected, got, fixedBy, action, physicalEffect}, or null. */
    this.deviceFault = deviceFault;
    /** Mistakes in the request: [{field, description}]. */
    this.violations = violations;
    this.sentences = sentences;
  }

  /** The sentence for people in a language ("en", "zh"), else the message itself. */
  localized(lang) {
    return this.sentences[lang] ?? this.message;
  }
}

/** @param {{code: string, message?: string, details?: {type: string, value: string}[]}} body */
export function errorFromBody(body) {
  const parts = { sentences: {} };
  for (const { type, value } of body.details ?? []) {
    const name = type.slice(type.lastIndexOf("/") + 1);
    const shape = DETAILS[name];
    if (!shape || typeof value !== "string") continue;
    const detail = decode(fromBase64(value), shape);
    if (name === "google.rpc.ErrorInfo" && detail.domain === REASON_DOMAIN) parts.reason = detail.reason ?? "";
    if (name === "google.rpc.LocalizedMessage") {
      parts.sentences[(detail.locale ?? "en").split("-")[0]] = detail.message ?? "";
    }
    if (name === "google.rpc.BadRequest") parts.violations = detail.fieldViolations ?? [];
    if (name === "countertop.v1.DeviceFault") parts.deviceFault = detail;
  }
  return new RpcError(body.code, body.message ?? "", parts);
}

/** @param {number} status of HTTP, where the answer is not Connect's */
export function errorFromStatus(status) {
  return new RpcError(CODES_BY_STATUS[status] ?? "unknown", `The terminal answered with HTTP status ${status}.`, {});
}

/** Connect leaves the padding out; atob takes it either way once the alphabet is right. */
function fromBase64(text) {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

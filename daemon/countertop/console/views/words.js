/** How states look and how things are called, in one place. */
import { h } from "../dom.js";
import { hasText, t } from "../i18n.js";
import { icon } from "./element.js";

const TONES = {
  DEVICE_STATE_CONNECTING: ["muted", "wait"],
  DEVICE_STATE_READY: ["good", "check"],
  DEVICE_STATE_BUSY: ["accent", "busy"],
  DEVICE_STATE_ATTENTION: ["warn", "alert"],
  DEVICE_STATE_OFFLINE: ["bad", "unplugged"],
  DEVICE_STATE_FAULT: ["bad", "cross"],
  ADMIN_STATE_MAINTENANCE: ["warn", "wrench"],
  ADMIN_STATE_DISABLED: ["muted", "pause"],
  OPERATION_STATE_QUEUED: ["muted", "wait"],
  OPERATION_STATE_WAITING_FOR_PERSON: ["accent", "person"],
  OPERATION_STATE_RUNNING: ["accent", "busy"],
  OPERATION_STATE_STOPPED: ["warn", "pause"],
  OPERATION_STATE_SUCCEEDED: ["good", "check"],
  OPERATION_STATE_FAILED: ["bad", "cross"],
  OPERATION_STATE_CANCELLED: ["muted", "cross"],
  OPERATION_STATE_UNCERTAIN: ["bad", "question"],
  CLAIM_STATE_QUEUED: ["muted", "wait"],
  CLAIM_STATE_HELD: ["good", "lock"],
  CLAIM_STATE_GRACE: ["warn", "wait"],
  SEVERITY_INFO: ["muted", "info"],
  SEVERITY_WARNING: ["warn", "alert"],
  SEVERITY_BLOCKING: ["bad", "cross"],
  JOURNAL_STATE_OK: ["good", "check"],
  JOURNAL_STATE_SET_ASIDE: ["warn", "alert"],
  JOURNAL_STATE_FAILED: ["bad", "cross"],
};

const KIND_ICONS = {
  DEVICE_KIND_ID_READER: "id-reader",
  DEVICE_KIND_RECEIPT_PRINTER: "receipt-printer",
  DEVICE_KIND_SIGNATURE_PAD: "signature-pad",
  DEVICE_KIND_CARD_PRINTER: "card-printer",
  DEVICE_KIND_CAMERA: "camera",
};
export const KINDS = Object.keys(KIND_ICONS);

export function kindIcon(kind) {
  return KIND_ICONS[kind] ?? "device";
}

/** A state as a pill: a colour, a picture and always the word. */
export function pill(state, params) {
  const [tone, picture] = TONES[state] ?? ["muted", "info"];
  return h("span", { class: `pill ${tone}`, key: `pill-${state}`, dataset: { state } }, icon(picture), h("span", null, t(state, params)));
}

/** @returns {string} the tone of a state: "good", "accent", "warn", "bad" or "muted" */
export function toneOf(state) {
  return TONES[state]?.[0] ?? "muted";
}

export function nameOf(device, id = "") {
  return device?.labels?.name || device?.id || id;
}

/** "EPSON TM-T88VI", or the driver's name before the device was reached. */
export function modelOf({ info, driver }) {
  return [info?.vendor, info?.model].filter(Boolean).join(" ") || driver;
}

/** A verb in words: of "countertop.v1.IdReaderService/Read". */
export function verbOf({ verb = "", vendorCommand }) {
  if (vendorCommand) return vendorCommand.slice(vendorCommand.lastIndexOf(".") + 1).replace(/Request$/, "");
  const name = verb.slice(verb.lastIndexOf(".") + 1);
  return hasText(`verb.${name}`) ? t(`verb.${name}`) : name;
}

/** What stands on the device a person should do; several in one sentence each. */
export function promptOf({ prompt, stoppedBy }) {
  if (prompt && prompt !== "PROMPT_KIND_UNSPECIFIED") return t(prompt);
  return stoppedBy && stoppedBy !== "REASON_UNSPECIFIED" ? t(stoppedBy) : "";
}

/** A progress bar with its numbers; null when nothing is known. */
export function progressBar(progress) {
  const total = Number(progress?.total ?? 0);
  const done = Number(progress?.done ?? 0);
  if (!total && !done) return null;
  const text = total ? `${done} / ${total}` : String(done);
  const unit = progress.unit && hasText(`unit.${progress.unit}`) ? t(`unit.${progress.unit}`) : progress.unit ?? "";
  return h("div", { class: "progress", key: "progress" },
    h("progress", { max: total || 1, value: total ? String(done) : undefined, "aria-label": t("progress") }),
    h("span", { class: "muted small" }, `${text} ${unit}`));
}

/** `<operation-details>`: one operation in full, in a drawer; with Cancel, and a person's word where it is UNCERTAIN. */
import { OPERATIONS } from "../acts.js";
import { h } from "../dom.js";
import { dateTimeOf, numberOf, t } from "../i18n.js";
import { FINAL_STATES } from "../store_state.js";
import { failureOf } from "./device_parts.js";
import { open } from "./dialog.js";
import { View } from "./element.js";
import { factList } from "./problem.js";
import { nameOf, pill, progressBar, promptOf, verbOf } from "./words.js";

const FINDINGS = ["FINDING_DONE", "FINDING_NOT_DONE", "FINDING_PARTLY_DONE"];

/** Opens the drawer for an operation. */
export function showOperation(context, operationId) {
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { class: "drawer", "aria-label": t("operation.title") }));
  dialog.append(h("operation-details", { ".context": context, ".operationId": operationId, ".close": () => dialog.close() }));
  open(dialog);
}

class OperationDetails extends View {
  operationId = "";
  close = () => {};
  #copied = "";

  concerns(change) {
    return change.operations.has(this.operationId);
  }

  view() {
    const operation = this.store.operation(this.operationId);
    const head = h("header", { class: "row", key: "head" }, h("h2", { class: "grow" }, operation ? verbOf(operation) : t("operation.title")),
      h("button", { type: "button", class: "button quiet", "aria-label": t("close"), onclick: () => this.close() }, "✕"));
    if (!operation) return [head, h("p", { class: "empty", key: "unknown" }, t("operation.unknown"))];
    const prompt = promptOf(operation);
    return [
      head,
      h("p", { key: "state", role: "status" }, pill(operation.state), prompt ? ` ${prompt}` : ""),
      progressBar(operation.progress),
      this.#facts(operation),
      operation.failure ? h("section", { class: "condition", key: "failure" }, h("h3", null, t("operation.failure")), failureOf(operation.failure)) : null,
      operation.resolution ? this.#resolution(operation.resolution) : null,
      operation.state === "OPERATION_STATE_UNCERTAIN" && !operation.resolution ? this.#resolve() : null,
      this.refusals("cancel"),
      this.#acts(operation),
    ];
  }

  #facts({ id, deviceId, verb, vendorCommand, physicalEffect, created, started, ended, visitId, copyOf, queuePosition, revision }) {
    const took = started && ended ? t("seconds", { count: numberOf((Date.parse(ended) - Date.parse(started)) / 1000, { maximumFractionDigits: 2 }) }) : "";
    return factList([
      [t("operation.id"), h("code", null, id)],
      [t("operation.device"), nameOf(this.store.device(deviceId), deviceId)],
      [t("operation.verb"), h("code", null, vendorCommand || verb)],
      [t("operation.effect"), physicalEffect ? t(physicalEffect) : ""],
      [t("operation.queue"), queuePosition ? t("queue.position", { count: queuePosition }) : ""],
      [t("operation.created"), dateTimeOf(created)],
      [t("operation.started"), dateTimeOf(started)],
      [t("operation.ended"), dateTimeOf(ended)],
      [t("operation.took"), took],
      [t("operation.visit"), visitId],
      [t("operation.copy_of"), copyOf],
      [t("operation.revision"), revision],
    ]);
  }

  #resolution({ finding, reason, by, time }) {
    return h("section", { class: "condition", key: "resolution" }, h("h3", null, t("operation.resolution")),
      factList([[t("resolve.finding"), t(finding)], [t("reason"), reason], [t("by"), by], [t("operation.ended"), dateTimeOf(time)]]));
  }

  /** The form stays as it is typed into: its fields have no values of ours. */
  #resolve() {
    const refusal = this.context.acts.refusal(`${OPERATIONS}/ResolveOperation`);
    return h("form", { class: "form condition", key: "resolve", onsubmit: (event) => this.#resolved(event) },
      h("h3", null, t("resolve.title")),
      h("p", { class: "muted" }, t("resolve.note")),
      h("fieldset", { class: "choices" }, h("legend", null, t("resolve.finding")), FINDINGS.map((finding) =>
        h("label", { key: finding, class: "choice" }, h("input", { type: "radio", name: "finding", value: finding, required: true }), h("span", null, t(finding))))),
      h("div", { class: "field" }, h("label", { for: "resolve-reason" }, t("reason")),
        h("input", { id: "resolve-reason", name: "reason", type: "text", required: true, maxlength: 256, autocomplete: "off", "aria-describedby": "resolve-hint" }),
        h("p", { class: "hint", id: "resolve-hint" }, t("resolve.hint"))),
      h("div", { class: "field" }, h("label", { for: "resolve-by" }, t("by")),
        h("input", { id: "resolve-by", name: "by", type: "text", maxlength: 64, autocomplete: "off" })),
      this.refusals("resolve"),
      h("div", { class: "row end" }, h("button", { type: "submit", class: "button primary", disabled: Boolean(refusal), "aria-busy": this.isBusy("resolve") ? "true" : null, dataset: { testid: "resolve" } }, t("operation.resolve"))));
  }

  #resolved(event) {
    event.preventDefault();
    const answers = Object.fromEntries(new FormData(event.target));
    this.attempt("resolve", () => this.context.acts.resolve(this.operationId, answers));
  }

  #acts(operation) {
    const copy = (name, text) => this.button(`copy-${name}`, t(this.#copied === name ? "copied" : `copy.${name}`), () => this.#copy(name, text), { kind: "small" });
    return h("div", { class: "row end", key: "acts" },
      copy("id", operation.id),
      copy("json", JSON.stringify(operation, null, 2)),
      FINAL_STATES.has(operation.state) ? null : this.button("cancel", t("operation.cancel"), () => this.#cancel(), {
        kind: "danger small", testid: "cancel", refusal: this.context.acts.refusal(`${OPERATIONS}/CancelOperation`) }));
  }

  async #cancel() {
    this.context.announce(t(await this.context.acts.cancel(this.operationId)));
  }

  async #copy(name, text) {
    await navigator.clipboard.writeText(text);
    this.#copied = name;
    this.context.announce(t("copied"));
  }
}

customElements.define("operation-details", OperationDetails);

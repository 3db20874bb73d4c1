/** `<operations-view>`: what was and is done on the devices, newest first. */
import { OPERATIONS } from "../acts.js";
import { h } from "../dom.js";
import { t, timeOf } from "../i18n.js";
import { FINAL_STATES } from "../store_state.js";
import { View } from "./element.js";
import { showOperation } from "./operation_details.js";
import { problem } from "./problem.js";
import { nameOf, pill, progressBar, promptOf, verbOf } from "./words.js";

const MOST = 200;

/** Whether a person must look: UNCERTAIN, and nobody gave a word. */
export function isUnresolved({ state, resolution }) {
  return state === "OPERATION_STATE_UNCERTAIN" && !resolution;
}

const FILTERS = {
  all: () => true,
  open: ({ state }) => !FINAL_STATES.has(state),
  unresolved: isUnresolved,
  failed: ({ state }) => ["OPERATION_STATE_FAILED", "OPERATION_STATE_UNCERTAIN"].includes(state),
};

class OperationsView extends View {
  #filter = "all";
  #device = "";

  concerns(change) {
    return change.operations.size > 0 || change.terminal || change.connection;
  }

  view() {
    const wanted = this.store.operations().filter((one) => FILTERS[this.#filter](one) && (!this.#device || one.deviceId === this.#device));
    return [
      h("div", { class: "page-head", key: "head" }, h("h1", null, t("nav.operations")), this.#filters()),
      this.store.refusals.operations ? problem(this.store.refusals.operations, { key: "refused" }) : null,
      this.refusals(),
      wanted.length ? this.#table(wanted.slice(0, MOST)) : h("p", { class: "empty", key: "none" }, t("operations.none")),
      wanted.length > MOST ? h("p", { class: "muted", key: "more" }, t("operations.more", { count: MOST })) : null,
    ];
  }

  #filters() {
    const choose = (label, options, chosen, onChange) =>
      h("label", { class: "inline-field", key: label }, h("span", null, label),
        h("select", { onchange: (event) => { onChange(event.target.value); this.refresh(); } },
          options.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
    const devices = this.store.devices().map((device) => [device.id, nameOf(device)]);
    return h("div", { class: "row", role: "group", "aria-label": t("filter") },
      choose(t("filter.show"), Object.keys(FILTERS).map((name) => [name, t(`operations.${name}`)]), this.#filter, (value) => (this.#filter = value)),
      choose(t("filter.device"), [["", t("filter.all")], ...devices], this.#device, (value) => (this.#device = value)));
  }

  #table(operations) {
    const heads = ["operation.state", "operation.what", "operation.device", "operation.effect", "operation.time"];
    return h("div", { class: "table-wrap", key: "table", tabindex: "0", role: "region", "aria-label": t("nav.operations") },
      h("table", { class: "table stacking" },
        h("thead", null, h("tr", null, heads.map((key) => h("th", { scope: "col" }, t(key))), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("operation.acts"))))),
        h("tbody", null, operations.map((operation) => this.#row(operation)))));
  }

  #row(operation) {
    const { id, deviceId, state, progress, physicalEffect, created, failure, queuePosition, resolution } = operation;
    const prompt = promptOf(operation);
    const effect = physicalEffect && physicalEffect !== "PHYSICAL_EFFECT_UNSPECIFIED" ? t(physicalEffect) : "—";
    return h("tr", { key: id, dataset: { testid: `operation-${id}`, state } },
      h("td", { "data-label": t("operation.state") }, pill(state), resolution ? h("span", { class: "badge" }, t(resolution.finding)) : null),
      h("td", { "data-label": t("operation.what"), class: "what" },
        h("strong", null, verbOf(operation)),
        prompt ? h("p", { class: "prompt", key: "prompt" }, prompt) : null,
        queuePosition ? h("p", { class: "muted small", key: "queue" }, t("queue.position", { count: queuePosition })) : null,
        failure ? h("p", { class: "tone-bad small", key: "failure" }, t(failure.reason)) : null,
        FINAL_STATES.has(state) ? null : progressBar(progress)),
      h("td", { "data-label": t("operation.device") }, nameOf(this.store.device(deviceId), deviceId)),
      h("td", { "data-label": t("operation.effect") }, effect),
      h("td", { "data-label": t("operation.time") }, h("time", { datetime: created }, timeOf(created))),
      h("td", null, h("div", { class: "row end" },
        FINAL_STATES.has(state) ? null : this.button(`cancel-${id}`, t("operation.cancel"), () => this.#cancel(id), {
          kind: "small", refusal: this.context.acts.refusal(`${OPERATIONS}/CancelOperation`) }),
        h("button", { type: "button", key: "details", class: `button small ${isUnresolved(operation) ? "danger" : ""}`, dataset: { testid: `details-${id}` },
          onclick: () => showOperation(this.context, id) }, t(isUnresolved(operation) ? "operation.resolve" : "details")))));
  }

  async #cancel(id) {
    this.context.announce(t(await this.context.acts.cancel(id)));
  }
}

customElements.define("operations-view", OperationsView);

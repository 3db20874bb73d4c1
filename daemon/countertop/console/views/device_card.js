/** `<device-card>`: one device: how it is, what it does, what is wrong and who can mend it, and what one may do. */
import { h } from "../dom.js";
import { addTranslations, t } from "../i18n.js";
import { FINAL_STATES } from "../store_state.js";
import "./camera_view.js";
import { askHealth, askMaintenance } from "./device_questions.js";
import { conditions, deviceFacts, supplies } from "./device_parts.js";
import { DEVICES, OPERATIONS } from "../acts.js";
import { View, icon } from "./element.js";
import { showOperation } from "./operation_details.js";
import { kindIcon, modelOf, nameOf, pill, progressBar, promptOf, toneOf, verbOf } from "./words.js";

/** The bench's panels are another part: loaded when first wanted, with their words. */
export async function loadBench(file) {
  const [en, zh] = await Promise.all([import("../bench/lang-en.js"), import("../bench/lang-zh.js")]);
  addTranslations("en", en.default);
  addTranslations("zh", zh.default);
  await import(`../bench/${file}.js`);
}

class DeviceCard extends View {
  #device = null;
  #bench = "closed"; // closed, loading, open, missing

  get device() {
    return this.#device;
  }

  set device(value) {
    this.#device = value;
    this.refresh();
  }

  begun() {
    this.listen(this.context.ownClaims, "change", () => this.refresh());
    if (sessionStorage.getItem(this.#keptAs) === "open") this.#openBench();
  }

  concerns(change) {
    if (change.claims || change.terminal) return true;
    const { runningOperationId, id } = this.#device;
    return change.operations.has(runningOperationId) || [...change.operations].some((one) => this.store.operation(one)?.deviceId === id);
  }

  get #keptAs() {
    return `countertop.bench.${this.#device.id}`;
  }

  get #running() {
    const { id, runningOperationId } = this.#device;
    const running = this.store.operation(runningOperationId);
    if (running && !FINAL_STATES.has(running.state)) return running;
    return this.store.operations().find(({ deviceId, state }) => deviceId === id && !FINAL_STATES.has(state) && state !== "OPERATION_STATE_QUEUED");
  }

  view() {
    const device = this.#device;
    this.dataset.tone = toneOf(device.state);
    this.dataset.testid = `device-${device.id}`;
    this.classList.toggle("wide", this.#bench === "open");
    const title = `device-title-${device.id}`;
    this.setAttribute("role", "article");
    this.setAttribute("aria-labelledby", title);
    return [
      this.#head(device, title),
      this.#doing(device),
      conditions(device),
      supplies(device),
      device.kind === "DEVICE_KIND_CAMERA" ? h("camera-view", { key: "camera", ".context": this.context, ".device": device }) : null,
      this.#claim(device),
      this.refusals(),
      this.#actions(device),
      this.#benchPart(device),
      deviceFacts(device),
    ];
  }

  #head(device, title) {
    const maintained = device.adminState && !["ADMIN_STATE_ENABLED", "ADMIN_STATE_UNSPECIFIED"].includes(device.adminState);
    return h("header", { class: "card-head", key: "head" },
      h("span", { class: "kind-tile" }, icon(kindIcon(device.kind), "large")),
      h("div", { class: "grow card-names" },
        h("h2", { id: title }, nameOf(device)),
        h("p", { class: "muted" }, `${t(device.kind)} · ${modelOf(device)}`)),
      h("div", { class: "pills" },
        pill(device.state),
        maintained ? pill(device.adminState) : null,
        device.emulated ? h("span", { class: "badge", key: "emulated" }, t("device.emulated")) : null));
  }

  #doing(device) {
    const running = this.#running;
    const waiting = device.queueLength ?? 0;
    const reason = device.maintenanceReason;
    if (!running && !waiting && !reason) return null;
    return h("div", { class: "doing", key: "doing" },
      reason ? h("p", { key: "maintenance" }, t("maintenance.because", { reason })) : null,
      running ? this.#operation(running) : null,
      waiting ? h("p", { class: "muted", key: "queue" }, t("queue.waiting", { count: waiting })) : null);
  }

  #operation(operation) {
    const { id, state, progress } = operation;
    const prompt = promptOf(operation);
    return h("div", { key: id, class: "running" },
      h("div", { class: "row" },
        h("strong", { class: "grow" }, verbOf(operation)), pill(state),
        this.button("cancel", t("operation.cancel"), () => this.#cancel(id), { kind: "small", refusal: this.context.acts.refusal(`${OPERATIONS}/CancelOperation`) }),
        h("button", { type: "button", class: "button small", key: "details", onclick: () => showOperation(this.context, id) }, t("details"))),
      prompt ? h("p", { class: "prompt", key: "prompt" }, icon("person"), prompt) : null,
      progressBar(progress));
  }

  async #cancel(id) {
    this.context.announce(t(await this.context.acts.cancel(id)));
  }

  #claim({ id }) {
    const claim = this.store.claims().find(({ deviceIds, state }) => deviceIds?.includes(id) && ["CLAIM_STATE_HELD", "CLAIM_STATE_GRACE"].includes(state));
    const waiting = this.store.claims().filter(({ deviceIds, state }) => deviceIds?.includes(id) && state === "CLAIM_STATE_QUEUED").length;
    if (!claim && !waiting) return null;
    const own = this.context.ownClaims.tokenFor(id) !== undefined;
    return h("p", { class: "claimed", key: "claim" }, icon("lock"),
      claim ? t(own ? "claim.own" : "claim.by", { label: claim.label }) : "",
      waiting ? ` ${t("claim.waiting", { count: waiting })}` : "");
  }

  #actions(device) {
    const { acts } = this.context;
    const { id } = device;
    const maintained = device.adminState === "ADMIN_STATE_MAINTENANCE";
    return h("div", { class: "row actions", key: "actions" },
      this.button("health", t("device.health"), () => askHealth(this.context, device), {
        icon: "pulse", testid: `health-${id}`, refusal: acts.refusal(`${DEVICES}/CheckHealth`, id) }),
      this.button("reset", t("device.reset"), () => acts.reset(id).then(() => this.context.announce(t("device.was_reset", { device: nameOf(device) }))), {
        icon: "reset", testid: `reset-${id}`, refusal: acts.refusal(`${DEVICES}/ResetDevice`, id) }),
      maintained
        ? this.button("enable", t("device.enable"), () => acts.setMaintenance(id, false, ""), {
            icon: "wrench", testid: `enable-${id}`, refusal: acts.refusal(`${DEVICES}/SetMaintenance`, id) })
        : this.button("maintain", t("device.maintain"), () => askMaintenance(this.context, device), {
            icon: "wrench", testid: `maintain-${id}`, refusal: acts.refusal(`${DEVICES}/SetMaintenance`, id) }),
      this.#benchToggle(device));
  }

  #benchToggle({ id, emulated }) {
    if (!emulated || !this.store.terminal?.bench) return null;
    const isOpen = this.#bench === "open";
    return h("button", {
      type: "button", key: "bench", class: "button accent", "aria-expanded": String(isOpen), "aria-busy": this.#bench === "loading" ? "true" : null,
      dataset: { testid: `hands-${id}` }, onclick: () => (isOpen ? this.#closeBench() : this.#openBench()),
    }, icon("hand"), t(isOpen ? "hands.hide" : "hands.show"));
  }

  async #openBench() {
    this.#bench = "loading";
    this.refresh();
    try {
      await loadBench("panel");
      this.#bench = "open";
      sessionStorage.setItem(this.#keptAs, "open");
    } catch (error) {
      this.#bench = "missing";
      console.error(error);
    }
    this.refresh();
  }

  #closeBench() {
    this.#bench = "closed";
    sessionStorage.removeItem(this.#keptAs);
    this.refresh();
  }

  #benchPart(device) {
    if (this.#bench === "missing") return h("p", { class: "muted", key: "bench-missing" }, t("hands.missing"));
    if (this.#bench !== "open" || !device.emulated) return null;
    return h("div", { class: "bench-place", key: "bench" }, h("bench-panel", { ".context": this.context, ".device": device }));
  }
}

customElements.define("device-card", DeviceCard);

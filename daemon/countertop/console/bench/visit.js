/** `<bench-visit>`: a customer's visit at the emulated counter, through the public API. Property: `context`. */
import { h } from "../dom.js";
import { BenchElement, sentence } from "./element.js";
import "./panel.js";
import { thumbnail } from "./pictures.js";
import { ensureStyles } from "./styles.js";
import { icon } from "./svg.js";
import { Visit } from "./visit_flow.js";
import { STEPS, StepFailed } from "./visit_steps.js";
import { devicesOf, onDevices } from "./watching.js";

const MARKS = {
  WAITING: "wait", RUNNING: "hand", SUCCEEDED: "check", NOT_CONFIGURED: "alert", DOUBTFUL: "alert", SKIPPED: "wait", FAILED: "cross",
  UNCERTAIN: "alert", CANCELLED: "cross",
};
const TICK = 250;
const SIDE_BY_SIDE = 860; // as in bench.css

class BenchVisit extends BenchElement {
  #visit = null;
  #stopWatching = () => {};
  #tick = null;
  #said = "";
  #shown = "";
  #onChange = () => this.#changed();

  get needsDevice() {
    return false;
  }

  begun() {
    ensureStyles();
    this.dataset.testid = "visit";
    this.#stopWatching = onDevices(this.context, () => this.refresh());
  }

  /** Leaving the page gives the visit up, so that nothing goes on that nobody sees. */
  stopped() {
    this.#stopWatching();
    clearInterval(this.#tick);
    if (this.#visit && ["running", "failed"].includes(this.#visit.state)) this.#visit.cancel();
  }

  /** The first emulated device of each kind, as it is now. */
  get #devices() {
    const found = {};
    for (const device of devicesOf(this.context)) {
      if (device.emulated) found[device.kind.replace("DEVICE_KIND_", "")] ??= device;
    }
    return found;
  }

  #begin(automatic) {
    this.#visit?.removeEventListener("change", this.#onChange);
    this.#visit = new Visit(this.context, this.#devices, automatic);
    this.#visit.addEventListener("change", this.#onChange);
    this.#run();
  }

  async #run() {
    clearInterval(this.#tick);
    this.#tick = setInterval(() => this.refresh(), TICK);
    try {
      await this.#visit.run();
    } finally {
      clearInterval(this.#tick);
      this.refresh();
    }
  }

  #changed() {
    const said = this.#news();
    if (said && said !== this.#said) this.context.announce?.(said);
    this.#said = said;
    this.refresh();
  }

  /** What is worth to be read aloud: what a person is asked for, and how a step ended. */
  #news() {
    const { prompt, state, name } = this.#visit.current;
    if (state === "RUNNING") return prompt ? this.#prompt(this.#visit.current) : "";
    const title = this.t(`bench.step.${name}`);
    return `${title}${/[?？]$/.test(title) ? "" : ":"} ${this.t(`bench.state.${state}`)}`;
  }

  /** Keeps the current step in sight, once for each. */
  rendered() {
    const name = this.#visit?.current.name;
    if (!name || name === this.#shown) return;
    this.#shown = name;
    const beside = this.clientWidth >= SIDE_BY_SIDE;
    this.querySelector(beside ? `[data-testid="step-${name}"]` : ".bench-stage")?.scrollIntoView({ block: "nearest" });
  }

  get #going() {
    return this.#visit !== null && ["running", "cancelling"].includes(this.#visit.state);
  }

  view() {
    if (!Object.keys(this.#devices).length) return [h("p", { class: "bench-none", key: "none" }, this.t("bench.visit.no_devices"))];
    return [
      h("header", { class: "bench-visit-head", key: "head" },
        h("div", { key: "words" }, h("h1", null, this.t("bench.visit.title")), h("p", { class: "bench-hint" }, this.t("bench.visit.about"))),
        h("div", { class: "bench-row", key: "controls" }, this.#controls())),
      this.#visit ? this.#result() : null,
      h("div", { class: "bench-visit-body", key: "body" }, this.#timeline(), this.#stage()),
    ];
  }

  #controls() {
    if (this.#going) {
      return this.button("cancel", this.t("bench.visit.cancel"), () => this.#visit.cancel(), {
        testid: "visit-cancel", disabled: this.#visit.state === "cancelling",
      });
    }
    const again = this.#visit ? "again_" : "";
    return [
      this.button("auto", this.t(`bench.visit.${again}auto`), () => this.#begin(true), { primary: true, testid: "visit-auto" }),
      this.button("hands", this.t(`bench.visit.${again}hands`), () => this.#begin(false), { testid: "visit-hands" }),
    ];
  }

  #result() {
    const { state, current } = this.#visit;
    const total = this.#visit.steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    const retry = state === "failed" && current.state !== "UNCERTAIN";
    return h(
      "div",
      { class: `bench-visit-result ${state}`, key: "result", role: "status", dataset: { testid: "visit-state", state } },
      h("span", null, this.t(`bench.visit.state.${state}`, { seconds: (total / 1000).toFixed(1), step: this.t(`bench.step.${current.name}`) })),
      retry ? this.button("retry", this.t("bench.visit.retry"), () => void this.#run(), { testid: "visit-retry", primary: true }) : null,
      state === "failed" ? this.button("give-up", this.t("bench.visit.cancel"), () => this.#visit.cancel(), { testid: "visit-give-up" }) : null,
    );
  }

  #timeline() {
    const steps = this.#visit?.steps ?? STEPS.map(({ name, kind }) => ({ name, kind, state: "WAITING", notes: [], pictures: [] }));
    const current = this.#visit?.current;
    return h(
      "ol",
      { class: "bench-steps", key: "steps", "aria-label": this.t("bench.visit.steps") },
      steps.map((step) =>
        h(
          "li",
          {
            key: step.name,
            class: `bench-step ${step.state.toLowerCase()}`,
            "aria-current": step === current && this.#visit.state !== "done" ? "step" : null,
            dataset: { testid: `step-${step.name}`, state: step.state },
          },
          h("span", { class: "bench-step-mark", key: "mark" }, icon(MARKS[step.state])),
          h("span", { class: "bench-step-title", key: "title" }, this.t(`bench.step.${step.name}`)),
          h("span", { class: "bench-step-time", key: "time" }, this.#time(step)),
          h("span", { class: "bench-visually-hidden", key: "state" }, this.t(`bench.state.${step.state}`)),
          this.#details(step),
        )),
    );
  }

  #time(step) {
    if (step.state === "WAITING") return "";
    const milliseconds = step.state === "RUNNING" ? Date.now() - step.began : step.milliseconds;
    return `${(milliseconds / 1000).toFixed(1)} s`;
  }

  #details(step) {
    if (!step.notes.length && !step.pictures.length && !step.error) return null;
    const t = (key, values) => this.t(key, values);
    return h(
      "div",
      { class: "bench-step-details", key: "details" },
      step.notes.map(({ key, values }, index) => h("p", { key: `note-${index}`, class: "bench-step-note" }, t(key, this.#worded(values)))),
      step.error ? this.#error(step.error) : null,
      step.pictures.length
        ? h("div", { class: "bench-step-pictures", key: "pictures" },
            step.pictures.map(({ name, image }) =>
              thumbnail(image, { alt: t(`bench.picture.${name}`), name, t, className: name, testid: `picture-${name}` })))
        : null,
    );
  }

  /** Values that are words of the page themselves. */
  #worded(values) {
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value?.key ? this.t(value.key) : value]));
  }

  #error(error, role = null) {
    const told = error instanceof StepFailed ? this.t(error.key, error.values) : sentence(error);
    const action = error.deviceFault?.action;
    return h(
      "p",
      { class: "bench-problem", role, key: "error", dataset: { testid: role ? "visit-error" : "step-error" } },
      h("span", null, told),
      h("span", { class: "bench-problem-action" }, action ?? this.t(error.code === "unavailable" ? "bench.visit.do_wait" : "bench.visit.do_retry")),
    );
  }

  #prompt({ prompt }) {
    return this.t(prompt.startsWith("PRESENCE_GUIDANCE_") ? `bench.guidance.${prompt.slice(18).toLowerCase()}` : `bench.prompt.${prompt.toLowerCase()}`);
  }

  /** The device that the current step works with, so that one sees it and can lay hands on it. */
  #stage() {
    const step = this.#visit?.current;
    const device = step?.kind ? this.#devices[step.kind] : null;
    if (!device) return h("section", { class: "bench-stage idle", key: "stage" }, this.#counter());
    return h(
      "section",
      { class: "bench-stage", key: "stage", "aria-label": this.t("bench.visit.stage"), dataset: { testid: "visit-stage", device: device.id } },
      h("h2", { key: "title" }, this.t(`bench.step.${step.name}`)),
      h("p", { key: "prompt", class: `bench-prompt${step.prompt ? "" : " quiet"}`, dataset: { testid: "visit-prompt", prompt: step.prompt } },
        step.prompt ? this.#prompt(step) : this.t(`bench.state.${step.state}`)),
      step.error ? this.#error(step.error, "alert") : null,
      step.progress?.total
        ? h("progress", { key: "progress", max: Number(step.progress.total), value: String(step.progress.done ?? 0), "aria-label": this.t("bench.visit.progress") })
        : null,
      h("bench-panel", { key: `panel-${device.id}`, plain: true, ".context": this.context, ".device": device }),
    );
  }

  #counter() {
    return h("div", { class: "bench-counter", key: "counter" },
      Object.entries(this.#devices).map(([kind, { id, info }]) =>
        h("div", { key: id, class: "bench-counter-device" },
          icon({ ID_READER: "card", RECEIPT_PRINTER: "paper", SIGNATURE_PAD: "pen", CARD_PRINTER: "card", CAMERA: "person" }[kind] ?? "plug"),
          h("strong", null, id), h("span", { class: "bench-caption" }, info?.model ?? ""))));
  }
}

customElements.define("bench-visit", BenchVisit);

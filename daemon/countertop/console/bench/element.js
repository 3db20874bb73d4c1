/** What every element of the bench has: a context and a device, one rendering a frame, and a place for what went wrong. */
import { h, morph } from "../dom.js";
import { onLanguage } from "../i18n.js";

export class BenchElement extends HTMLElement {
  #context = null;
  #device = null;
  #due = false;
  #busy = "";
  #error = null;
  #stopListening = () => {};

  /** {rpc, store, t, announce} */
  get context() {
    return this.#context;
  }

  set context(value) {
    this.#context = value;
    this.#renewed();
  }

  /** The Device as the daemon tells it. */
  get device() {
    return this.#device;
  }

  set device(value) {
    const last = this.#device;
    this.#device = value;
    this.#renewed();
    if (last && value && this.isReady) this.deviceChanged(last, value);
  }

  get isReady() {
    return this.isConnected && this.#context !== null && (this.#device !== null || !this.needsDevice);
  }

  /** Subclasses that stand without a device say so. */
  get needsDevice() {
    return true;
  }

  connectedCallback() {
    this.#renewed();
  }

  disconnectedCallback() {
    if (!this.started) return;
    this.started = false;
    this.#stopListening();
    this.stopped();
  }

  #renewed() {
    if (!this.isReady) return;
    if (!this.started) {
      this.started = true;
      this.#stopListening = onLanguage(() => this.refresh());
      this.begun();
    }
    this.refresh();
  }

  /** Once, when context and device are there and it stands on the page. */
  begun() {}

  /** When it leaves the page. */
  stopped() {}

  /** When the device is another than before. */
  deviceChanged() {}

  /** The children; a subclass gives them. @returns {unknown[]} */
  view() {
    return [];
  }

  /** Render soon, once for however many changes. */
  refresh() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (!this.isReady) return;
      morph(this, ...this.view().flat(Infinity));
      this.rendered();
    });
  }

  /** After each rendering. */
  rendered() {}

  t(key, values) {
    return this.#context.t(key, values);
  }

  get busy() {
    return this.#busy;
  }

  /** Does something that may be refused: `busy` is its name meanwhile, and a refusal is shown and announced. */
  async attempt(name, action) {
    this.#busy = name;
    this.#error = null;
    this.refresh();
    try {
      return await action();
    } catch (error) {
      this.#error = error;
      this.#context.announce?.(sentence(error));
      return undefined;
    } finally {
      if (this.#busy === name) this.#busy = "";
      this.refresh();
    }
  }

  /** What was refused last, as an element; null when nothing was. */
  problem() {
    const error = this.#error;
    if (!error) return null;
    const action = error.deviceFault?.action;
    return h(
      "p",
      { class: "bench-problem", role: "alert", key: "problem", dataset: { testid: "bench-problem" } },
      h("span", null, sentence(error)),
      action ? h("span", { class: "bench-problem-action" }, action) : null,
    );
  }

  /** A button that does `action` by `attempt`, and cannot be pressed twice meanwhile. */
  button(name, label, action, { primary = false, disabled = false, testid = "", key = name, title } = {}) {
    return h(
      "button",
      {
        type: "button",
        key,
        title,
        class: primary ? "bench-button primary" : "bench-button",
        disabled: disabled || this.#busy === name,
        "aria-busy": this.#busy === name ? "true" : null,
        dataset: testid ? { testid } : {},
        onclick: () => this.attempt(name, action),
      },
      label,
    );
  }
}

/** An error in the page's language, else as it is; violations of the request are told with their field. */
export function sentence(error) {
  const broken = error.violations?.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const language = (document.documentElement.lang || "en").split("-")[0];
  const told = error.localized?.(language) ?? error.message;
  return broken ? `${told} ${broken}` : told;
}

/** What every view has: a context, one rendering for however many changes, and actions whose refusal is shown. */
import { h, morph } from "../dom.js";
import { onLanguage } from "../i18n.js";
import { problem, sentenceOf } from "./problem.js";

export class View extends HTMLElement {
  #context = null;
  #due = false;
  #ends = [];
  /** @type {Map<string, unknown>} */
  #errors = new Map();
  #busy = new Set();

  /** {rpc, store, t, announce, acts, ownClaims} */
  get context() {
    return this.#context;
  }

  set context(value) {
    this.#context = value;
    this.#begin();
  }

  get t() {
    return this.#context.t;
  }

  get store() {
    return this.#context.store;
  }

  connectedCallback() {
    this.#begin();
  }

  disconnectedCallback() {
    for (const end of this.#ends.splice(0)) end();
    this.stopped();
  }

  #begin() {
    if (!this.isConnected || !this.#context || this.#ends.length) return;
    this.#ends.push(onLanguage(() => this.refresh()));
    if (this.#context.store) this.#ends.push(this.#context.store.subscribe((change) => this.concerns(change) && this.refresh()));
    this.begun();
    this.refresh();
  }

  /** Calls `listener` for an event for as long as the view is on the page. */
  listen(target, type, listener) {
    target.addEventListener(type, listener);
    this.#ends.push(() => target.removeEventListener(type, listener));
  }

  /** When it stands on the page with its context. */
  begun() {}

  /** When it leaves the page. */
  stopped() {}

  /** Whether a change of the store is to be shown here. */
  concerns() {
    return true;
  }

  /** The children. @returns {unknown[]} */
  view() {
    return [];
  }

  refresh() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (!this.isConnected || !this.#context) return;
      morph(this, this.view());
      this.rendered();
    });
  }

  /** After each rendering. */
  rendered() {}

  /** Does something that may be refused; a refusal is kept for `refusals`. */
  async attempt(name, action) {
    if (this.#busy.has(name)) return;
    this.#busy.add(name);
    this.#errors.delete(name);
    this.refresh();
    try {
      await action();
    } catch (error) {
      this.#errors.set(name, error); // shown as an alert, which is read aloud
    } finally {
      this.#busy.delete(name);
      this.refresh();
    }
  }

  isBusy(name) {
    return this.#busy.has(name);
  }

  /** What was refused last under one of these names (all when none is given), with a button that puts it away. */
  refusals(...names) {
    return [...this.#errors]
      .filter(([name]) => !names.length || names.includes(name))
      .map(([name, error]) => problem(error, { key: `problem-${name}`, onDismiss: () => this.#errors.delete(name) && this.refresh() }));
  }

  /**
   * A button for `attempt`. While it is under way it keeps its focus and does nothing; what the role was refused before
   * is disabled and says why.
   */
  button(name, label, action, { kind = "", icon = "", refusal, testid, ...more } = {}) {
    const busy = this.#busy.has(name);
    return h(
      "button",
      {
        type: "button",
        key: name,
        class: `button ${kind}`,
        disabled: Boolean(refusal),
        title: refusal ? sentenceOf(refusal) : null,
        "aria-busy": busy ? "true" : null,
        "aria-disabled": busy ? "true" : null,
        dataset: testid ? { testid } : {},
        onclick: () => this.attempt(name, action),
        ...more,
      },
      icon ? h("span", { class: `icon ${icon}`, "aria-hidden": "true", key: "icon" }) : null,
      label,
      refusal ? h("span", { class: "visually-hidden", key: "refused" }, ` (${this.t("refused.role")})`) : null,
    );
  }
}

/** An icon of icons/; decoration only, since the word stands beside it. */
export function icon(name, more = "") {
  return h("span", { class: `icon ${name} ${more}`, "aria-hidden": "true" });
}

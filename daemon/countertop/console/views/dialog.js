/** Questions that need an answer: a modal form; a refusal stays in it until the answer is right or it is closed. */
import { h, morph } from "../dom.js";
import { t } from "../i18n.js";
import { problem } from "./problem.js";

let numbers = 0;

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string} [question.note]
 * @param {{name: string, label: string, hint?: string, type?: "text" | "select" | "number", options?: [string, string][],
 *   required?: boolean, maxlength?: number, value?: string, autocomplete?: string}[]} [question.fields]
 * @param {string} question.submit the button's word
 * @param {boolean} [question.danger]
 * @param {(answers: Record<string, string>) => Promise<unknown>} question.onSubmit may answer with what is to be done when
 *   the form is closed
 */
export function ask({ title, note, fields = [], submit, danger = false, onSubmit }) {
  const id = `dialog-${++numbers}`;
  const refusal = h("div", null);
  const button = h("button", { type: "submit", class: `button ${danger ? "danger" : "primary"}` }, submit);
  const form = h(
    "form",
    { class: "form", onsubmit: (event) => answer(event) },
    h("h2", { id }, title),
    note ? h("p", { class: "muted" }, note) : null,
    fields.map((field) => fieldOf(id, field)),
    refusal,
    h("div", { class: "row end" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("close")), button),
  );
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { class: "dialog", "aria-labelledby": id }, form));

  async function answer(event) {
    event.preventDefault();
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      const after = await onSubmit(Object.fromEntries(new FormData(form)));
      dialog.close();
      if (typeof after === "function") after();
    } catch (error) {
      morph(refusal, problem(error));
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  open(dialog);
}

function fieldOf(id, { name, label, hint, type = "text", options = [], value, ...attributes }) {
  const field = `${id}-${name}`;
  const common = { id: field, name, "aria-describedby": hint ? `${field}-hint` : null, ...attributes };
  const input = type === "select"
    ? h("select", common, options.map(([word, text]) => h("option", { value: word, selected: word === value }, text)))
    : h("input", { type, autocomplete: "off", value: value ?? "", ...common });
  return h("div", { class: "field" }, h("label", { for: field }, label), input, hint ? h("p", { id: `${field}-hint`, class: "hint" }, hint) : null);
}

/** Shows something to read, until it is closed. */
export function show({ title, children }) {
  const id = `dialog-${++numbers}`;
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { class: "dialog", "aria-labelledby": id },
    h("h2", { id }, title), children,
    h("div", { class: "row end" }, h("button", { type: "button", class: "button primary", onclick: () => dialog.close() }, t("close")))));
  open(dialog);
}

/** Opens a dialog; it leaves the page when it is closed, and the focus goes back to where it was. */
export function open(dialog) {
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  });
  dialog.showModal();
}

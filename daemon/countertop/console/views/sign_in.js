/** `<sign-in>`: asks for a token, since the daemon does not know who looks. */
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { View, icon } from "./element.js";
import { problem } from "./problem.js";

class SignIn extends View {
  /** Why the last token was refused, if it was. */
  refusal = null;
  /** @type {(token: string) => void} */
  onToken = () => {};

  view() {
    return h("form", { class: "sign-in panel form", onsubmit: (event) => this.#submit(event) },
      h("h1", null, icon("lock", "large"), t("sign_in.title")),
      h("p", { class: "muted" }, t("sign_in.note")),
      this.refusal ? problem(this.refusal) : null,
      h("div", { class: "field" }, h("label", { for: "token" }, t("sign_in.token")),
        h("input", { id: "token", name: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "token-hint" }),
        h("p", { class: "hint", id: "token-hint" }, t("sign_in.hint"), " ", h("code", null, "countertop pair --token NAME --role teller"))),
      h("div", { class: "row end" }, h("button", { type: "submit", class: "button primary" }, t("sign_in.submit"))));
  }

  rendered() {
    const field = this.querySelector("input");
    if (field && document.activeElement === document.body) field.focus();
  }

  #submit(event) {
    event.preventDefault();
    const token = String(new FormData(event.target).get("token")).trim();
    if (token) this.onToken(token);
  }
}

customElements.define("sign-in", SignIn);

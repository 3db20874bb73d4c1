/** `<claims-view>`: who has the devices, who waits for them, and the page's own claims. */
import { CLAIMS } from "../acts.js";
import { h } from "../dom.js";
import { t, timeOf } from "../i18n.js";
import { ask } from "./dialog.js";
import { View, icon } from "./element.js";
import { problem } from "./problem.js";
import { kindIcon, nameOf, pill } from "./words.js";

const DEFAULT_WAIT = 30;

class ClaimsView extends View {
  begun() {
    this.listen(this.context.ownClaims, "change", () => this.refresh());
  }

  concerns(change) {
    return change.claims || change.devices.size > 0;
  }

  view() {
    const claims = this.store.claims();
    return [
      h("div", { class: "page-head", key: "head" }, h("h1", null, t("nav.claims"))),
      h("p", { class: "muted", key: "about" }, t("claims.about")),
      this.refusals(),
      this.#own(),
      h("section", { class: "panel", key: "standing" },
        h("h2", null, t("claims.standing")),
        claims.length ? h("ul", { class: "claim-list" }, claims.map((claim) => this.#claim(claim))) : h("p", { class: "muted" }, t("claims.none"))),
      this.#form(),
    ];
  }

  #devices(ids = []) {
    return h("span", { class: "claim-devices", key: "devices" }, ids.map((id) => {
      const device = this.store.device(id);
      return h("span", { class: "badge", key: id }, icon(kindIcon(device?.kind)), nameOf(device, id));
    }));
  }

  #claim(claim) {
    const { id, label, deviceIds, state, since, position } = claim;
    return h("li", { key: id, class: "claim", dataset: { testid: `claim-${id}` } },
      h("div", { class: "grow" },
        h("div", { class: "row" }, h("strong", null, label), pill(state), position ? h("span", { class: "muted small" }, t("claim.position", { count: position })) : null,
          h("span", { class: "muted small" }, t("since", { time: timeOf(since) }))),
        this.#devices(deviceIds)),
      this.button(`revoke-${id}`, t("claim.revoke"), () => this.#revoke(claim), {
        kind: "danger small", testid: `revoke-${id}`, refusal: this.context.acts.refusal(`${CLAIMS}/RevokeClaim`) }));
  }

  #revoke({ id, label }) {
    ask({
      title: t("revoke.title", { label }),
      note: t("revoke.note"),
      fields: [
        { name: "reason", label: t("reason"), hint: t("reason.hint"), required: true, maxlength: 256 },
        { name: "by", label: t("by"), hint: t("by.hint"), maxlength: 64 },
      ],
      submit: t("claim.revoke"),
      danger: true,
      onSubmit: (answers) => this.context.acts.revoke(id, answers),
    });
  }

  #own() {
    const { ownClaims } = this.context;
    if (!ownClaims.list.length) return null;
    return h("section", { class: "panel", key: "own" }, h("h2", null, t("claims.own")),
      h("ul", { class: "claim-list" }, ownClaims.list.map((claim) =>
        h("li", { key: claim.key, class: "claim" },
          h("div", { class: "grow" },
            h("div", { class: "row" }, h("strong", null, claim.label), h("span", { class: "badge" }, t(`own.${claim.state}`, { position: claim.position, holders: claim.holders.join(", ") }))),
            this.#devices(claim.deviceIds),
            claim.error ? problem(claim.error) : null),
          claim.state === "ended"
            ? h("button", { type: "button", class: "button small", onclick: () => ownClaims.forget(claim) }, t("close"))
            : this.button(`release-${claim.key}`, t("claim.release"), () => ownClaims.release(claim), { kind: "small", testid: "release" })))));
  }

  #form() {
    return h("form", { class: "panel form", key: "form", onsubmit: (event) => this.#ask(event) },
      h("h2", null, t("claims.ask")),
      h("fieldset", { class: "choices" }, h("legend", null, t("claims.devices")), this.store.devices().map((device) =>
        h("label", { class: "choice", key: device.id }, h("input", { type: "checkbox", name: "device", value: device.id }), icon(kindIcon(device.kind)), h("span", null, nameOf(device))))),
      h("div", { class: "row fields" },
        h("div", { class: "field grow" }, h("label", { for: "claim-label" }, t("claims.label")),
          h("input", { id: "claim-label", name: "label", type: "text", required: true, maxlength: 64, autocomplete: "off", "aria-describedby": "claim-label-hint" }),
          h("p", { class: "hint", id: "claim-label-hint" }, t("claims.label_hint"))),
        h("div", { class: "field" }, h("label", { for: "claim-wait" }, t("claims.wait")),
          h("input", { id: "claim-wait", name: "wait", type: "number", min: 0, max: 600, value: String(DEFAULT_WAIT), required: true }))),
      h("p", { class: "hint", key: "keep" }, t("claims.keep")),
      h("div", { class: "row end" }, h("button", { type: "submit", class: "button primary", dataset: { testid: "claim" } }, t("claims.ask"))));
  }

  #ask(event) {
    event.preventDefault();
    const answers = new FormData(event.target);
    const devices = answers.getAll("device").map(String);
    this.attempt("ask", async () => {
      if (!devices.length) throw new Error(t("claims.choose"));
      this.context.ownClaims.ask(devices, String(answers.get("label")), Number(answers.get("wait")));
    });
  }
}

customElements.define("claims-view", ClaimsView);

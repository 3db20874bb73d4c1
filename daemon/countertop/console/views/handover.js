/** `<handover-banner>`: somebody waits for devices that this page holds; told on every page, with the time that is left. */
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { View, icon } from "./element.js";
import { nameOf } from "./words.js";

class HandoverBanner extends View {
  #ticker = 0;

  begun() {
    this.listen(this.context.ownClaims, "change", () => this.#changed());
  }

  stopped() {
    clearInterval(this.#ticker);
  }

  concerns() {
    return false;
  }

  get #asked() {
    return this.context.ownClaims.list.filter(({ handover }) => handover);
  }

  #changed() {
    clearInterval(this.#ticker);
    if (this.#asked.length) this.#ticker = setInterval(() => this.#tick(), 1000);
    this.refresh();
  }

  #tick() {
    for (const claim of this.#asked) if (claim.handover.deadline < Date.now()) claim.handover = null;
    if (!this.#asked.length) clearInterval(this.#ticker);
    this.refresh();
  }

  view() {
    return [
      ...this.#asked.map((claim) => {
        const { by, deadline, revokedWithoutAnswer } = claim.handover;
        const { ownClaims, announce } = this.context;
        const answer = (yields) => async () => {
          await ownClaims.answer(claim, yields);
          announce(t(yields ? "handover.yielded" : "handover.kept"));
        };
        return h("div", { class: "banner warn", key: claim.key },
          h("p", { class: "grow", role: "alert" }, icon("person"), t("handover.asked", { by, devices: claim.deviceIds.map((id) => nameOf(this.store.device(id), id)).join(", ") })),
          h("span", null, t(revokedWithoutAnswer ? "handover.or_yield" : "handover.or_keep", { seconds: Math.max(0, Math.ceil((deadline - Date.now()) / 1000)) })),
          this.button(`keep-${claim.key}`, t("handover.keep"), answer(false), { testid: "keep" }),
          this.button(`yield-${claim.key}`, t("handover.yield"), answer(true), { kind: "primary", testid: "yield" }));
      }),
      ...this.refusals(),
    ];
  }
}

customElements.define("handover-banner", HandoverBanner);

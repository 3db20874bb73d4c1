/** `<counter-view>`: all devices of the terminal, and what happens as it happens. */
import { h } from "../dom.js";
import { t, timeOf } from "../i18n.js";
import "./device_card.js";
import { View, icon } from "./element.js";
import { wordsOf } from "./event_words.js";

const RECENT = 14;

class CounterView extends View {
  concerns(change) {
    return change.devices.size > 0 || change.events || change.connection || change.terminal;
  }

  view() {
    const devices = this.store.devices();
    if (!this.store.state.synced) return this.#waiting();
    return h("div", { class: "counter" },
      h("h1", { class: "visually-hidden", key: "title" }, t("nav.counter")),
      devices.length
        ? h("div", { class: "cards", key: "cards" }, devices.map((device) => h("device-card", { key: device.id, class: "card", ".context": this.context, ".device": device })))
        : h("p", { class: "empty", key: "none" }, t("counter.none")),
      h("aside", { class: "recent", key: "recent", "aria-label": t("counter.recent") }, this.#recent()));
  }

  #waiting() {
    return h("p", { class: "empty", key: "waiting" }, icon("busy"), t("connection.waiting"));
  }

  #recent() {
    const events = this.store.events.filter(({ minor }) => !minor).slice(-RECENT).reverse();
    return [
      h("h2", null, t("counter.recent")),
      events.length
        ? h("ol", { class: "recent-list" }, events.map((event) => {
            const { tone, picture, text, device } = wordsOf(event, this.store);
            return h("li", { key: String(event.id) }, icon(picture, `tone-${tone}`), h("span", { class: "grow" }, device ? h("strong", null, `${device} `) : null, text), h("time", { class: "muted small", datetime: event.time }, timeOf(event.time)));
          }))
        : h("p", { class: "muted" }, t("events.none")),
    ];
  }
}

customElements.define("counter-view", CounterView);

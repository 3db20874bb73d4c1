/** `<events-view>`: what happens, as it happens; may be held while one reads. */
import { h } from "../dom.js";
import { t, timeOf } from "../i18n.js";
import { View, icon } from "./element.js";
import { wordsOf } from "./event_words.js";
import { nameOf } from "./words.js";

const MOST = 200;
const TYPES = ["device", "operation", "media", "claim", "card", "unit", "connection"];

class EventsView extends View {
  #device = "";
  #type = "";
  #small = false;
  #held = null;

  concerns(change) {
    return change.events || change.devices.size > 0;
  }

  view() {
    const all = this.store.events;
    const shown = this.#held ?? all;
    const missed = this.#held ? all.length ? all.at(-1).id - (this.#held.at(-1)?.id ?? 0) : 0 : 0;
    const wanted = shown.filter((event) => this.#wants(event)).slice(-MOST).reverse();
    return [
      h("div", { class: "page-head", key: "head" }, h("h1", null, t("nav.events")), this.#filters(missed)),
      wanted.length
        ? h("ol", { class: "events", key: "events", "aria-label": t("nav.events"), dataset: { testid: "events" } }, wanted.map((event) => this.#line(event)))
        : h("p", { class: "empty", key: "none" }, t("events.none")),
    ];
  }

  #wants({ type, deviceIds, minor }) {
    if (minor && !this.#small) return false;
    const kind = type === "gap" || type === "hole" ? "connection" : type;
    return (!this.#device || deviceIds.includes(this.#device)) && (!this.#type || kind === this.#type);
  }

  #filters(missed) {
    const choose = (label, options, chosen, onChange) =>
      h("label", { class: "inline-field", key: label }, h("span", null, label),
        h("select", { onchange: (event) => { onChange(event.target.value); this.refresh(); } },
          options.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
    return h("div", { class: "row", role: "group", "aria-label": t("filter") },
      choose(t("filter.device"), [["", t("filter.all")], ...this.store.devices().map((device) => [device.id, nameOf(device)])], this.#device, (value) => (this.#device = value)),
      choose(t("filter.type"), [["", t("filter.all")], ...TYPES.map((type) => [type, t(`events.${type}`)])], this.#type, (value) => (this.#type = value)),
      h("label", { class: "tick", key: "small" },
        h("input", { type: "checkbox", checked: this.#small, onchange: (event) => { this.#small = event.target.checked; this.refresh(); } }), h("span", null, t("events.small"))),
      h("button", { type: "button", key: "hold", class: "button", "aria-pressed": String(this.#held !== null), dataset: { testid: "hold" }, onclick: () => this.#hold() },
        icon(this.#held ? "play" : "pause"), this.#held ? t("events.resume", { count: missed }) : t("events.hold")));
  }

  #hold() {
    this.#held = this.#held ? null : [...this.store.events];
    this.refresh();
  }

  #line(event) {
    const { tone, picture, text, device } = wordsOf(event, this.store);
    return h("li", { key: String(event.id), class: `event ${event.minor ? "minor" : ""}` },
      h("time", { class: "muted", datetime: event.time }, timeOf(event.time)),
      icon(picture, `tone-${tone}`),
      h("span", { class: "event-device" }, device),
      h("span", { class: "grow" }, text),
      h("span", { class: "muted small number", title: t("events.number") }, event.sequence ?? ""));
  }
}

customElements.define("events-view", EventsView);

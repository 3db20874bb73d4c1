/** A card printer: where its card is, what was printed on it, supplies, bins, and the customer before it. */
import { h } from "../dom.js";
import { BenchElement } from "./element.js";
import { handsOf } from "./hands.js";
import { thumbnail } from "./pictures.js";
import { drawing, s } from "./svg.js";
import { onOperation } from "./watching.js";

const STATIONS = [
  ["SUPPLY", 48],
  ["PRINT", 150],
  ["CONTACT", 252],
  ["EXIT", 388],
  ["TAKEN", 480],
];
const PLACES = {
  CARD_PLACE_PRINT: "PRINT", CARD_PLACE_TRANSPORT: "PRINT", CARD_PLACE_JAMMED: "PRINT", CARD_PLACE_CONTACT: "CONTACT",
  CARD_PLACE_CONTACTLESS: "CONTACT", CARD_PLACE_EXIT: "EXIT",
};
const HABITS = ["TAKES", "LEAVES", "PUSHES_BACK"];
const COUNTS = ["supply", "inside", "taken", "output", "retained", "removed"];

class BenchCards extends BenchElement {
  #hands;
  #last = null;
  #counts = {};
  #looking = false;
  #lookAgain = false;
  #stopWatching = () => {};
  #onCards = () => this.#look();
  #place = null;
  #onMoved = ({ detail }) => {
    this.#place = detail; // an operation tells of its card before the device is asked again
    this.refresh();
  };

  begun() {
    this.#hands = handsOf(this.context, this.device.id);
    this.#hands.addEventListener("cards", this.#onCards);
    this.#hands.addEventListener("moved", this.#onMoved);
    this.#stopWatching = onOperation(this.context, this.device.id, () => this.#look());
    this.#look();
  }

  stopped() {
    this.#hands.removeEventListener("cards", this.#onCards);
    this.#hands.removeEventListener("moved", this.#onMoved);
    this.#stopWatching();
  }

  deviceChanged(last, now) {
    if (last.status?.card?.place === now.status?.card?.place) return;
    this.#place = null;
    this.#look();
  }

  async #look() {
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    try {
      do {
        this.#lookAgain = false;
        await this.#ask();
      } while (this.#lookAgain && this.isConnected);
    } catch {
      this.#lookAgain = false; // told by the device's card; the counts that are known stay
    } finally {
      this.#looking = false;
    }
    this.refresh();
  }

  async #ask() {
    this.#counts = await this.#hands.countCards();
    const { total } = await this.#hands.output({ textOnly: true });
    if (!total) return;
    const { outputs } = await this.#hands.output({ skip: total - 1 });
    const [card] = outputs;
    this.#last = card ? { ...card, facts: JSON.parse(card.text || "{}") } : null;
  }

  view() {
    const place = this.#place ?? this.device.status?.card?.place;
    return [
      h("div", { class: "bench-cards-scene", key: "scene" }, this.#track(place)),
      h("p", { class: "bench-hint", key: "hint", dataset: { testid: "cards-state" } }, this.t(`bench.place.${(place ?? "CARD_PLACE_NONE").slice(11).toLowerCase()}`)),
      this.#lastCard(),
      h(
        "div",
        { class: "bench-row", key: "actions" },
        this.button("take", this.t("bench.cards.take"), () => this.#hands.takeCard(), {
          primary: true, disabled: place !== "CARD_PLACE_EXIT", testid: "cards-take",
        }),
        this.button("push", this.t("bench.cards.push"), () => this.#hands.pushCard(), { testid: "cards-push" }),
        this.button("jam", this.t("bench.cards.remove_jam"), () => this.#hands.removeJam(), { testid: "cards-remove-jam" }),
      ),
      this.#habit(),
      this.problem(),
      this.#supplies(),
    ];
  }

  #track(place) {
    const at = STATIONS.find(([name]) => name === PLACES[place])?.[1];
    const jammed = place === "CARD_PLACE_JAMMED";
    const t = (key) => this.t(key);
    return drawing(
      `cards-${place}-${this.device.state}`,
      520,
      150,
      { label: t("bench.cards.picture"), className: "bench-cards-body" },
      s("rect", { x: 14, y: 14, width: 384, height: 100, rx: 18, fill: "#2d3541" }),
      s("rect", { x: 390, y: 50, width: 10, height: 41, rx: 4, fill: "#0c0f13" }),
      s("path", { d: "M48 70H480", stroke: "#5a6778", "stroke-width": 2, "stroke-dasharray": "3 6" }),
      STATIONS.map(([name, x]) => [
        s("rect", { x: x - 26, y: 54, width: 52, height: 33, rx: 4, fill: "none", stroke: "#6d7b8e", "stroke-width": 1.5 }),
        s("text", { x, y: 136, "text-anchor": "middle", "font-size": 12.5, fill: "currentColor" }, t(`bench.station.${name.toLowerCase()}`)),
      ]),
      [0, 1, 2].map((n) => s("rect", { x: 24 + n, y: 60 - n * 5, width: 50, height: 31, rx: 4, fill: "#f5f7fa", stroke: "#c3cbd6" })),
      at ? s("g", { class: "bench-moving-card" },
        s("rect", { x: at - 25, y: 55, width: 50, height: 31, rx: 4, fill: jammed ? "#e05252" : "#2b8bb4", stroke: "#fff" }),
        s("rect", { x: at - 19, y: 66, width: 9, height: 8, rx: 1.5, fill: "#f6c453" })) : null,
    );
  }

  #lastCard() {
    const { image, back, facts, number, finished } = this.#last ?? {};
    if (!image?.data) return null;
    const t = (key, values) => this.t(key, values);
    const stripe = ["track1", "track2", "track3"].filter((track) => facts.stripe?.[track]);
    return h(
      "div",
      { class: "bench-last-card", key: "last", dataset: { testid: "cards-last", number: String(number), finished: String(finished ?? false) } },
      thumbnail(image, { alt: t("bench.cards.front"), name: `card-${number}-front`, t, className: "bench-plastic", testid: "card-front" }),
      back?.data ? thumbnail(back, { alt: t("bench.cards.back"), name: `card-${number}-back`, t, className: "bench-plastic", testid: "card-back" }) : null,
      h(
        "dl",
        { class: "bench-facts" },
        fact(t("bench.cards.number"), String(number)),
        fact(t("bench.cards.where"), finished ? t(`bench.gone.${facts.place}`) : t("bench.gone.inside")),
        stripe.length
          ? stripe.map((track) => fact(t(`bench.cards.${track}`), h("code", null, facts.stripe[track])))
          : fact(t("bench.cards.stripe"), t("bench.cards.blank")),
        facts.stripe?.damaged?.length ? fact(t("bench.cards.damaged"), facts.stripe.damaged.join(", ")) : null,
        fact(t("bench.cards.chip"), t(facts.chip ? "bench.yes" : "bench.no")),
      ),
    );
  }

  #habit() {
    return h(
      "fieldset",
      { class: "bench-segments", key: "habit" },
      h("legend", null, this.t("bench.cards.customer")),
      HABITS.map((habit) =>
        h(
          "label",
          { key: habit, dataset: { testid: `customer-${habit.toLowerCase().replace("_", "-")}` } },
          h("input", {
            type: "radio",
            name: `habit-${this.device.id}`,
            checked: this.#hands.habit === `CUSTOMER_HABIT_${habit}`,
            onchange: () => this.attempt("habit", () => this.#hands.setCustomer(`CUSTOMER_HABIT_${habit}`, 1)),
          }),
          h("span", null, this.t(`bench.habit.${habit.toLowerCase()}`)),
        )),
    );
  }

  #supplies() {
    const t = (key, values) => this.t(key, values);
    const hands = this.#hands;
    return h(
      "details",
      { class: "bench-details", key: "supplies" },
      h("summary", { dataset: { testid: "cards-supplies" } }, t("bench.cards.supplies")),
      h(
        "dl",
        { class: "bench-counts", dataset: { testid: "cards-counts" } },
        COUNTS.map((name) => fact(t(`bench.count.${name}`), String(this.#counts[name] ?? 0))),
      ),
      h(
        "div",
        { class: "bench-row" },
        this.button("load", t("bench.cards.load"), () => hands.loadCards({ count: 50 }), { testid: "cards-load" }),
        this.button("unload", t("bench.cards.unload"), () => hands.loadCards({ count: 0, empty: true }), { testid: "cards-unload" }),
        this.button("ribbon", t("bench.cards.ribbon"), () => hands.loadRibbon({}), { testid: "cards-ribbon" }),
        this.button("low", t("bench.cards.ribbon_low"), () => hands.loadRibbon({ prints: 5 }), { testid: "cards-ribbon-low" }),
        this.button("no-ribbon", t("bench.cards.ribbon_none"), () => hands.loadRibbon({ absent: true }), { testid: "cards-ribbon-none" }),
        this.button("bin", t("bench.cards.empty_bin"), () => hands.emptyBin(), { testid: "cards-empty-bin" }),
        this.button("hopper", t("bench.cards.empty_output"), () => hands.emptyBin("output"), { testid: "cards-empty-output" }),
      ),
    );
  }
}

function fact(name, value) {
  return [h("dt", null, name), h("dd", null, value)];
}

customElements.define("bench-cards", BenchCards);

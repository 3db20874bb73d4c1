/** An ID reader: people with their cards, and the tray that a card is laid on. */
import { h } from "../dom.js";
import { cardPicture, face } from "./card_picture.js";
import { BenchElement } from "./element.js";
import { handsOf } from "./hands.js";
import { ETHNICITIES, PEOPLE, flawsOf } from "./people.js";
import { personForm } from "./person_form.js";
import { drawing, icon, s } from "./svg.js";

const LIGHTS = { DEVICE_STATE_BUSY: "#4aa3ff", DEVICE_STATE_READY: "#36c26e", DEVICE_STATE_ATTENTION: "#e8a63a" };

class BenchReader extends BenchElement {
  #hands;
  #making = false;
  #told = () => this.refresh();

  begun() {
    this.#hands = handsOf(this.context, this.device.id);
    this.#hands.addEventListener("card", this.#told);
  }

  stopped() {
    this.#hands.removeEventListener("card", this.#told);
  }

  /** Who is chosen stays so while the page shows something else. */
  get #chosen() {
    return this.#hands.chosen ?? this.#hands.laid ?? PEOPLE[0];
  }

  get #people() {
    return [...PEOPLE, ...this.#hands.made];
  }

  view() {
    const { laid } = this.#hands;
    return [
      h(
        "div",
        { class: "bench-reader-scene", key: "scene" },
        drawReader(this.device, this.t("bench.reader.picture")),
        this.#onTheTray(laid),
      ),
      h("p", { class: "bench-hint", key: "hint", dataset: { testid: "reader-state" } }, this.#state(laid)),
      this.#picker(),
      h(
        "div",
        { class: "bench-row", key: "actions" },
        this.button("insert", this.t("bench.reader.insert", { name: this.#chosen.facts.name }), () => this.#lay(), {
          primary: true,
          testid: "reader-insert",
        }),
        this.button("remove", this.t("bench.reader.remove"), () => this.#hands.removeCard(), {
          testid: "reader-remove",
          disabled: laid === null && this.device.status?.media !== "MEDIA_STATE_PRESENT",
        }),
      ),
      this.problem(),
      this.#maker(),
    ];
  }

  #lay() {
    return this.#hands.insertCard(this.#chosen);
  }

  #state(laid) {
    if (laid) return this.t("bench.reader.lies", { name: laid.facts.name });
    if (laid === undefined && this.device.status?.media === "MEDIA_STATE_PRESENT") return this.t("bench.reader.some");
    return this.t("bench.reader.none");
  }

  #onTheTray(laid) {
    if (!laid) return h("span", { key: "tray", class: "bench-tray" });
    const name = this.t("bench.reader.card_of", { name: laid.facts.name });
    return h(
      "span",
      { key: `tray-${laid.id}`, class: "bench-tray laid", dataset: { testid: "reader-card" } },
      cardPicture(named(laid), { label: name }),
    );
  }

  #picker() {
    const choose = (person) => () => {
      this.#hands.chosen = person;
      this.refresh();
    };
    return h(
      "fieldset",
      { class: "bench-people", key: "people" },
      h("legend", null, this.t("bench.reader.people")),
      h("div", { class: "bench-people-row" }, this.#people.map((person) =>
        h(
          "label",
          { key: person.id, class: "bench-person", dataset: { testid: `person-${person.id}` } },
          h("input", {
            type: "radio",
            name: `person-${this.device.id}`,
            checked: person.id === this.#chosen.id,
            onchange: choose(person),
          }),
          face(person),
          h("span", { class: "bench-person-name" }, person.facts.latinName ? person.facts.latinName : person.facts.name),
          h("span", { class: "bench-person-kind" }, this.t(`bench.kind.${person.facts.kind}`)),
          flawsOf(person).map((flaw) =>
            h("span", { class: "bench-badge warn", key: flaw }, this.t(`bench.flaw.${flaw}`))),
        ))),
    );
  }

  #maker() {
    return h(
      "details",
      {
        class: "bench-details",
        key: "maker",
        ontoggle: (event) => {
          this.#making = event.currentTarget.open;
          this.refresh();
        },
      },
      h("summary", { dataset: { testid: "person-make" } }, icon("person"), this.t("bench.reader.make")),
      this.#making
        ? personForm((key) => this.t(key), this.#hands.made.length, (person) => {
            this.#hands.made.push(person);
            this.#hands.chosen = person;
            this.refresh();
            this.context.announce?.(this.t("bench.reader.made", { name: person.facts.name }));
          })
        : null,
    );
  }
}

/** With the word for the ethnicity's code, as it is printed. */
function named(person) {
  const ethnicityName = ETHNICITIES[person.facts.ethnicity ?? "01"];
  return { ...person, facts: { ...person.facts, ethnicityName } };
}

function drawReader(device, label) {
  const light = LIGHTS[device.state] ?? "#c04545";
  return drawing(
    `reader-${device.state}`,
    480,
    250,
    { label, className: "bench-reader-body" },
    s("rect", { x: 20, y: 26, width: 440, height: 208, rx: 26, fill: "#1d232d" }),
    s("rect", { x: 20, y: 22, width: 440, height: 204, rx: 26, fill: "#2b3340" }),
    s("rect", { x: 92, y: 42, width: 296, height: 150, rx: 12, fill: "#222a35", stroke: "#3d4859", "stroke-width": 2 }),
    s("path", { d: "M216 104a34 34 0 0 1 48 0M224 116a22 22 0 0 1 32 0M232 128a11 11 0 0 1 16 0", fill: "none",
      stroke: "#58677d", "stroke-width": 4, "stroke-linecap": "round" }),
    s("circle", { cx: 420, cy: 60, r: 6, fill: light, class: device.state === "DEVICE_STATE_BUSY" ? "bench-blink" : "" }),
    s("text", { x: 240, y: 214, "text-anchor": "middle", "font-size": 12, fill: "#8b98ab", "letter-spacing": 3 },
      device.info?.model ?? ""),
  );
}

customElements.define("bench-reader", BenchReader);

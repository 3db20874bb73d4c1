/** The plug, the switch and the faults of any emulated device. */
import { h } from "../dom.js";
import { BenchElement } from "./element.js";
import { handsOf } from "./hands.js";
import { icon } from "./svg.js";

class BenchFaults extends BenchElement {
  #hands;
  #faults = [];
  #times = 0;
  #afterBytes = 0;
  #open = false;

  begun() {
    this.#hands = handsOf(this.context, this.device.id);
    this.#look();
  }

  deviceChanged(last, now) {
    if (this.#open && last.state !== now.state) this.#look();
  }

  async #look() {
    await this.attempt("list", async () => {
      this.#faults = await this.#hands.faults();
    });
  }

  async #then(action) {
    await action();
    this.#faults = await this.#hands.faults();
  }

  view() {
    const active = this.#faults.filter((fault) => fault.active);
    return [
      h(
        "div",
        { class: "bench-row bench-power", key: "power" },
        this.button("unplug", [icon("plug"), this.t("bench.unplug")], () => this.#hands.unplug(), { testid: "bench-unplug" }),
        this.button("replug", [icon("plug"), this.t("bench.replug")], () => this.#hands.replug(), { testid: "bench-replug" }),
        this.button("cycle", [icon("power"), this.t("bench.power_cycle")], () => this.#hands.powerCycle(), { testid: "bench-power-cycle" }),
        active.map(({ name }) => h("span", { key: `active-${name}`, class: "bench-badge bad" }, name)),
      ),
      this.problem(),
      h(
        "details",
        {
          class: "bench-details",
          key: "faults",
          ontoggle: (event) => {
            this.#open = event.currentTarget.open;
            if (this.#open) this.#look();
          },
        },
        h("summary", { dataset: { testid: "bench-faults" } }, icon("bug"), this.t("bench.faults.title"),
          active.length ? h("span", { class: "bench-badge bad" }, this.t("bench.faults.active", { count: active.length })) : null),
        this.#how(),
        h("ul", { class: "bench-faults-list" }, this.#faults.map((fault) => this.#fault(fault))),
        this.button("clear-all", this.t("bench.faults.clear_all"), () => this.#then(() => this.#hands.clearFault()), {
          disabled: active.length === 0, testid: "fault-clear-all",
        }),
      ),
    ];
  }

  #how() {
    const number = (name, label, change) =>
      h("label", { class: "bench-field" }, h("span", null, label),
        h("input", { type: "number", min: 0, max: 1000000, step: 1, value: "0", dataset: { testid: `fault-${name}` }, oninput: change }));
    return h(
      "div",
      { class: "bench-form", key: "how" },
      number("times", this.t("bench.faults.times"), (event) => (this.#times = Number(event.target.value))),
      number("after", this.t("bench.faults.after"), (event) => (this.#afterBytes = Number(event.target.value))),
    );
  }

  #fault({ name, description, active }) {
    const inject = () =>
      this.#hands.injectFault({ fault: name, times: this.#times, afterBytes: String(this.#afterBytes) });
    return h(
      "li",
      { key: name, class: active ? "active" : "" },
      h("span", null, h("strong", null, name), h("span", { class: "bench-caption" }, description)),
      active
        ? this.button(`clear-${name}`, this.t("bench.faults.clear"), () => this.#then(() => this.#hands.clearFault(name)), { testid: `fault-clear-${name}` })
        : this.button(`inject-${name}`, this.t("bench.faults.inject"), () => this.#then(inject), { testid: `fault-inject-${name}` }),
    );
  }
}

customElements.define("bench-faults", BenchFaults);

/** `<terminal-view>`: what this terminal is: versions, drivers, the journal, the stream, and what the role may not do. */
import { h } from "../dom.js";
import { dateTimeOf, t } from "../i18n.js";
import { View } from "./element.js";
import { factList, problem, sentenceOf } from "./problem.js";
import { pill } from "./words.js";

class TerminalView extends View {
  concerns(change) {
    return change.terminal || change.connection || change.events;
  }

  view() {
    const { terminal, refusals } = this.store;
    return [
      h("div", { class: "page-head", key: "head" }, h("h1", null, t("nav.terminal")),
        this.button("load", t("terminal.reload"), () => this.store.load(), { icon: "reset" })),
      refusals.terminal ? problem(refusals.terminal, { key: "refused" }) : null,
      h("div", { class: "panels", key: "panels" },
        terminal ? this.#facts(terminal) : null,
        terminal?.journal ? this.#journal(terminal.journal) : null,
        this.#stream(),
        this.#refusals(),
        terminal ? this.#drivers(terminal.drivers ?? []) : null),
    ];
  }

  #facts({ id, version, started, bench, epoch }) {
    return h("section", { class: "panel", key: "facts" }, h("h2", null, t("terminal.facts")), factList([
      [t("terminal.id"), id],
      [t("terminal.version"), version],
      [t("terminal.started"), dateTimeOf(started)],
      [t("terminal.bench"), t(bench ? "yes" : "no")],
      [t("terminal.epoch"), h("code", null, epoch ?? "")],
    ]));
  }

  #journal({ state = "JOURNAL_STATE_UNSPECIFIED", path, detail }) {
    return h("section", { class: "panel", key: "journal" }, h("h2", null, t("terminal.journal")), h("p", null, pill(state)),
      detail ? h("p", { lang: "en" }, detail) : null, factList([[t("terminal.path"), path ? h("code", null, path) : ""]]));
  }

  #stream() {
    const { connection, state } = this.store;
    return h("section", { class: "panel", key: "stream" }, h("h2", null, t("terminal.stream")), factList([
      [t("terminal.connection"), t(`connection.${connection.state}`)],
      [t("terminal.sequence"), state.sequence ?? "—"],
      [t("terminal.gaps"), String(state.gaps)],
      [t("terminal.holes"), String(state.holes)],
      [t("terminal.attempts"), String(connection.attempts)],
      [t("terminal.error"), connection.error ? sentenceOf(connection.error) : ""],
    ]));
  }

  #refusals() {
    const refused = this.context.acts.refusals();
    return h("section", { class: "panel", key: "refusals" }, h("h2", null, t("terminal.refusals")),
      refused.length
        ? h("ul", null, refused.map(([place, error]) => h("li", { key: place }, h("code", null, place.replace("countertop.v1.", "")), ` ${sentenceOf(error)}`,
            h("p", { class: "muted small", lang: "en" }, error.message))))
        : h("p", { class: "muted" }, t("terminal.no_refusals")));
  }

  #drivers(drivers) {
    return h("section", { class: "panel whole", key: "drivers" }, h("h2", null, t("terminal.drivers", { count: drivers.length })),
      h("div", { class: "table-wrap", tabindex: "0", role: "region", "aria-label": t("terminal.drivers", { count: drivers.length }) },
        h("table", { class: "table" },
          h("thead", null, h("tr", null, ["driver.name", "driver.kinds", "driver.about", "driver.from"].map((key) => h("th", { scope: "col" }, t(key))))),
          h("tbody", null, drivers.map(({ name, kinds = [], description, distribution, error }) =>
            h("tr", { key: name },
              h("td", null, h("strong", null, name)),
              h("td", null, kinds.map((kind) => t(kind)).join(", ")),
              h("td", { lang: "en" }, error ? h("span", { class: "tone-bad" }, error) : description),
              h("td", { class: "muted" }, distribution)))))));
  }
}

customElements.define("terminal-view", TerminalView);

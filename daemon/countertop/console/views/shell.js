/** `<console-shell>`: the frame around the views: name, connection, places to go, language and look. */
import { h } from "../dom.js";
import { currentLanguage, setLanguage, t } from "../i18n.js";
import { setTheme, theme, THEMES } from "../theme.js";
import "./claims.js";
import "./counter.js";
import { loadBench } from "./device_card.js";
import { View, icon } from "./element.js";
import "./events.js";
import "./handover.js";
import { isUnresolved } from "./operations.js";
import { problem, sentenceOf } from "./problem.js";
import "./terminal.js";

const PAGES = ["counter", "operations", "events", "claims", "terminal"];
const TONES = { live: "good", connecting: "muted", reconnecting: "warn", refused: "bad", unauthorised: "bad" };

class ConsoleShell extends View {
  /** @type {() => void} */
  onSignOut = () => {};
  #visit = "unloaded"; // unloaded, loading, loaded, missing
  #page = "";

  begun() {
    this.listen(globalThis, "hashchange", () => this.refresh());
  }

  concerns(change) {
    return change.connection || change.terminal || change.claims || change.operations.size > 0;
  }

  get #wanted() {
    const page = location.hash.replace("#/", "");
    return PAGES.includes(page) || page === "visit" ? page : "counter";
  }

  view() {
    const page = this.#wanted;
    if (page === "visit" && this.#visit === "unloaded") this.#loadVisit();
    return [
      h("a", { class: "skip", href: "#main", key: "skip", onclick: (event) => this.#skip(event) }, t("skip")),
      this.#header(page),
      this.#trouble(),
      h("handover-banner", { key: "handover", ".context": this.context }),
      h("main", { id: "main", tabindex: "-1", key: "main" }, this.#place(page)),
    ];
  }

  rendered() {
    const page = this.#wanted;
    if (this.#page && this.#page !== page) {
      this.querySelector("main").focus({ preventScroll: true });
      globalThis.scrollTo(0, 0);
    }
    this.#page = page;
    document.title = `${t(`nav.${page}`)} – Countertop`;
  }

  #skip(event) {
    event.preventDefault(); // the fragment is the page's place
    this.querySelector("main").focus();
  }

  #place(page) {
    if (page === "visit") {
      if (this.#visit === "loaded") return h("bench-visit", { key: "visit", ".context": this.context });
      return h("p", { class: "empty", key: "no-visit" }, t(this.#visit === "missing" ? "hands.missing" : "connection.waiting"));
    }
    return h(`${page}-view`, { key: page, ".context": this.context });
  }

  async #loadVisit() {
    this.#visit = "loading";
    try {
      await loadBench("visit");
      this.#visit = "loaded";
    } catch (error) {
      this.#visit = "missing";
      console.error(error);
    }
    this.refresh();
  }

  #header(page) {
    const { terminal } = this.store;
    const counts = { operations: this.store.operations().filter(isUnresolved).length, claims: this.store.claims().length };
    const link = (name) =>
      h("a", { key: name, href: `#/${name}`, "aria-current": page === name ? "page" : null, dataset: { testid: `nav-${name}` } },
        icon(`nav-${name}`), h("span", null, t(`nav.${name}`)),
        counts[name]
          ? h("span", { class: `count ${name === "operations" ? "bad" : ""}` }, String(counts[name]), h("span", { class: "visually-hidden" }, ` ${t(`count.${name}`)}`))
          : null);
    return h("header", { class: "top", key: "top" },
      h("div", { class: "brand" }, icon("brand", "large"), h("div", null, h("strong", null, "Countertop"), h("span", { class: "muted small" }, terminal?.id ?? ""))),
      h("nav", { "aria-label": t("nav") }, PAGES.map(link)),
      h("div", { class: "top-end" },
        terminal?.bench ? h("a", { class: "button accent", key: "visit", href: "#/visit", "aria-current": page === "visit" ? "page" : null, dataset: { testid: "nav-visit" } }, icon("person"), t("nav.visit")) : null,
        this.#connection(), this.#language(), this.#look(),
        h("button", { type: "button", class: "button quiet", key: "out", title: t("sign_out"), "aria-label": t("sign_out"), onclick: () => this.onSignOut() }, icon("out"))));
  }

  #connection() {
    const { state } = this.store.connection;
    return h("span", { class: `pill ${TONES[state] ?? "muted"}`, key: "connection", role: "status", dataset: { testid: "connection", state } },
      icon(state === "live" ? "check" : state === "connecting" ? "busy" : "unplugged"), h("span", null, t(`connection.${state}`)));
  }

  #language() {
    const other = currentLanguage() === "en" ? "zh" : "en";
    return h("button", { type: "button", class: "button quiet", key: "language", lang: other === "zh" ? "zh-CN" : "en", dataset: { testid: "language" },
      onclick: () => setLanguage(other) }, other === "zh" ? "中文" : "English");
  }

  #look() {
    const now = theme();
    const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
    const label = t("theme", { now: t(`theme.${now}`) });
    return h("button", { type: "button", class: "button quiet", key: "theme", title: label, "aria-label": label, dataset: { testid: "theme" },
      onclick: () => { setTheme(next); this.refresh(); } }, icon(`theme-${now}`));
  }

  /** Told plainly while the daemon is away, since all that is shown is as it was. */
  #trouble() {
    const { state, error, since } = this.store.connection;
    if (!["reconnecting", "refused"].includes(state)) return null;
    if (state === "refused") return h("div", { key: "trouble", class: "banner-place" }, problem(error));
    return h("div", { class: "banner bad", key: "trouble", role: "alert", dataset: { testid: "offline" } },
      icon("unplugged"), h("p", { class: "grow" }, t("connection.lost", { time: new Date(since).toLocaleTimeString() }), error.reason ? h("span", { class: "muted" }, ` ${sentenceOf(error)}`) : null),
      h("button", { type: "button", class: "button", onclick: () => this.store.retry() }, t("connection.retry")));
  }
}

customElements.define("console-shell", ConsoleShell);

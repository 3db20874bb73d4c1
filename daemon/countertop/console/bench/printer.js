/** A receipt printer: paper that comes out while it prints, what was torn off, cover and roll. */
import { h } from "../dom.js";
import { BenchElement } from "./element.js";
import { handsOf } from "./hands.js";
import { pictureUrl, thumbnail } from "./pictures.js";
import { drawing, s } from "./svg.js";
import { onOperation } from "./watching.js";

const KEPT = 12;
const DOTS_PER_PIXEL = 2;
const PAPERS = [
  ["full", { mm: 0 }],
  ["near_end", { mm: 1500 }],
  ["short", { mm: 60 }],
  ["empty", { empty: true }],
];

class BenchPrinter extends BenchElement {
  #hands;
  #hanging = null;
  #torn = [];
  #looking = false;
  #lookAgain = false;
  #stopWatching = () => {};
  #onPaper = () => this.#look();
  #onTear = () => this.#tear();

  begun() {
    this.#hands = handsOf(this.context, this.device.id);
    this.#hands.addEventListener("paper", this.#onPaper);
    this.#hands.addEventListener("tear", this.#onTear);
    this.#stopWatching = onOperation(this.context, this.device.id, () => this.#look());
    this.#look();
  }

  stopped() {
    this.#hands.removeEventListener("paper", this.#onPaper);
    this.#hands.removeEventListener("tear", this.#onTear);
    this.#stopWatching();
  }

  /** What hangs in the printer, and what was torn off before the page came. One question at a time. */
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
      this.#lookAgain = false; // told by the device's card; what is known of the paper stays on the page
    } finally {
      this.#looking = false;
    }
    this.refresh();
  }

  async #ask() {
    const { total } = await this.#hands.output({ textOnly: true, skip: 4294967295 });
    if (tornUpTo(this.device.id) > total) rememberTorn(this.device.id, 0); // the emulator was started anew
    const { outputs } = total ? await this.#hands.output({ skip: total - 1, limit: 1 }) : { outputs: [] };
    const [last] = outputs;
    this.#hanging = last && last.number > tornUpTo(this.device.id) ? last : null;
    await this.#pickUp(this.#hanging ? total - 1 : total);
    this.refresh();
  }

  /** The receipts up to a number lie on the pile: torn off, or pushed out by the next. */
  async #pickUp(last) {
    const newest = this.#torn[0]?.number ?? 0;
    if (newest > last) this.#torn = this.#torn.filter(({ number }) => number <= last);
    const first = Math.max(this.#torn[0]?.number ?? 0, last - KEPT);
    if (first >= last) return;
    const { outputs } = await this.#hands.output({ skip: first, limit: last - first });
    const known = new Set(this.#torn.map(({ number }) => number));
    const found = outputs.filter(({ finished, number }) => finished && !known.has(number));
    this.#torn = [...found.reverse(), ...this.#torn].slice(0, KEPT);
  }

  view() {
    const t = (key, values) => this.t(key, values);
    const consumable = this.device.status?.consumables?.find(({ name }) => name === "paper");
    const open = this.device.status?.conditions?.some(({ reason }) => reason === "REASON_COVER_OPEN") ?? false;
    return [
      h(
        "div",
        { class: "bench-printer-scene", key: "scene" },
        this.#paper(),
        drawPrinter(this.device, open, consumable?.level, t("bench.printer.picture")),
      ),
      h("p", { class: "bench-hint", key: "hint", dataset: { testid: "printer-state" } }, this.#state(open, consumable?.level)),
      h(
        "div",
        { class: "bench-row", key: "actions" },
        this.button("tear", t("bench.printer.tear"), () => this.#tear(), {
          primary: true, disabled: !this.#hanging?.finished, testid: "printer-tear",
        }),
        open
          ? this.button("close", t("bench.printer.close"), () => this.#hands.closeCover(), { testid: "printer-close-cover" })
          : this.button("open", t("bench.printer.open"), () => this.#hands.openCover(), { testid: "printer-open-cover" }),
        h("span", { class: "bench-gap", key: "gap" }),
        h(
          "span",
          { class: "bench-group", role: "group", "aria-label": t("bench.printer.paper"), key: "paper" },
          PAPERS.map(([name, request]) =>
            this.button(`paper-${name}`, t(`bench.paper.${name}`), () => this.#hands.loadPaper(request), {
              testid: `printer-paper-${name.replace("_", "-")}`,
            })),
        ),
      ),
      this.problem(),
      this.#pile(),
    ];
  }

  #state(open, level) {
    if (open) return this.t("bench.printer.cover_open");
    if (this.device.runningOperationId) return this.t("bench.printer.prints");
    if (level === "SUPPLY_LEVEL_OUT") return this.t("bench.printer.no_paper");
    return this.t(this.#hanging?.finished ? "bench.printer.hangs" : "bench.printer.idle");
  }

  #paper() {
    const { image, finished = false, number = 0 } = this.#hanging ?? {};
    const height = image?.data ? Math.round(image.height / DOTS_PER_PIXEL) : 0;
    return h(
      "div",
      { class: "bench-paper-window", key: "paper", tabindex: height ? 0 : null, "aria-label": height ? this.t("bench.printer.receipt", { number }) : null, role: height ? "group" : null },
      h(
        "div",
        {
          class: `bench-paper${finished ? " finished" : ""}`,
          key: `paper-${number}`,
          style: { height: `${height}px`, width: `${Math.round((image?.width ?? 512) / DOTS_PER_PIXEL)}px` },
          dataset: { testid: "printer-paper", finished: String(finished), number: String(number) },
        },
        height
          ? h("img", {
              key: "print",
              src: pictureUrl(image),
              alt: this.t("bench.printer.receipt", { number }),
              width: Math.round(image.width / DOTS_PER_PIXEL),
              height,
            })
          : null,
      ),
    );
  }

  async #tear() {
    if (!this.#hanging?.finished) await this.#look();
    const torn = this.#hanging;
    if (!torn?.finished) return;
    rememberTorn(this.device.id, torn.number);
    this.#torn = [torn, ...this.#torn.filter(({ number }) => number < torn.number)].slice(0, KEPT);
    this.#hanging = null;
    this.#hands.tell("torn", torn);
    this.context.announce?.(this.t("bench.printer.torn", { number: torn.number }));
    await this.#look();
  }

  #pile() {
    if (!this.#torn.length) return null;
    const t = (key, values) => this.t(key, values);
    return h(
      "section",
      { class: "bench-pile", key: "pile", "aria-label": t("bench.printer.pile") },
      h("h4", null, t("bench.printer.pile")),
      h(
        "div",
        { class: "bench-pile-items" },
        this.#torn.map((output) =>
          output.image?.data
            ? h(
                "span",
                { key: `torn-${output.number}`, class: "bench-pile-item" },
                thumbnail(output.image, {
                  alt: t("bench.printer.receipt", { number: output.number }), name: `receipt-${output.number}`, t,
                  testid: `receipt-${output.number}`,
                }),
                h("span", { class: "bench-caption" }, String(output.number)),
              )
            : null),
      ),
    );
  }
}

function key(deviceId) {
  return `countertop.bench.torn.${deviceId}`;
}

/** The last receipt that was torn off in this tab. */
function tornUpTo(deviceId) {
  return Number(sessionStorage.getItem(key(deviceId)) ?? 0);
}

function rememberTorn(deviceId, number) {
  sessionStorage.setItem(key(deviceId), String(number));
}

function drawPrinter(device, open, level, label) {
  const well = ["DEVICE_STATE_READY", "DEVICE_STATE_BUSY", "DEVICE_STATE_ATTENTION"].includes(device.state);
  const cover = open
    ? s("path", { d: "M60 24 L84 -44 H396 L420 24z", fill: "#39424f", stroke: "#222932", "stroke-width": 3 })
    : s("rect", { x: 44, y: 8, width: 392, height: 60, rx: 14, fill: "#353e4b" });
  return drawing(
    `printer-${device.state}-${open}-${level}`,
    480,
    190,
    { label, className: "bench-printer-body" },
    s("rect", { x: 24, y: 26, width: 432, height: 158, rx: 22, fill: "#232a34" }),
    s("rect", { x: 24, y: 22, width: 432, height: 152, rx: 22, fill: "#2d3541" }),
    cover,
    s("rect", { x: 92, y: 4, width: 296, height: 12, rx: 6, fill: "#0c0f13" }),
    s("path", { d: "M96 15h288", stroke: "#77818f", "stroke-width": 2, "stroke-dasharray": "5 4" }),
    s("circle", { cx: 396, cy: 110, r: 6, fill: well ? "#36c26e" : "#5b6470" }),
    s("circle", { cx: 418, cy: 110, r: 6, fill: level && level !== "SUPPLY_LEVEL_OK" ? "#e8a63a" : "#4a525e" }),
    s("circle", { cx: 440, cy: 110, r: 6, fill: device.state === "DEVICE_STATE_FAULT" ? "#e05252" : "#4a525e" }),
    s("rect", { x: 384, y: 130, width: 60, height: 22, rx: 8, fill: "#414b5a" }),
    s("text", { x: 58, y: 150, "font-size": 15, fill: "#a9b4c4", "letter-spacing": 2 }, device.info?.model ?? ""),
  );
}

customElements.define("bench-printer", BenchPrinter);

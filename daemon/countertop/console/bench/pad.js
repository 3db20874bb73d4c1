/** A signature pad: its screen, on which one signs with mouse, finger or pen, and its buttons. */
import { h } from "../dom.js";
import { BenchElement } from "./element.js";
import { handsOf } from "./hands.js";
import { InkView, spaceOf, strokeRequest } from "./ink.js";
import { pictureUrl } from "./pictures.js";
import { icon } from "./svg.js";
import { onOperation } from "./watching.js";

const BUTTONS = ["CANCEL", "CLEAR", "ACCEPT"];
const MOUSE_PRESSURE = 0.5;

class BenchPad extends BenchElement {
  #hands;
  #screen = null;
  #ink = null;
  #live = false;
  #liveStroke = null;
  #writing = null;
  #stopWatching = () => {};
  #resized = new ResizeObserver(() => this.#ink?.draw());
  #onLive = ({ detail }) => this.#showLive(detail);
  #onPad = ({ detail }) => this.#pressed(detail.button);

  begun() {
    this.#hands = handsOf(this.context, this.device.id);
    this.#hands.addEventListener("live", this.#onLive);
    this.#hands.addEventListener("pad", this.#onPad);
    this.#stopWatching = onOperation(this.context, this.device.id, () => this.#lookAtScreen());
    this.#lookAtScreen();
  }

  stopped() {
    this.#hands.removeEventListener("live", this.#onLive);
    this.#hands.removeEventListener("pad", this.#onPad);
    this.#stopWatching();
    this.#resized.disconnect();
    this.#ink = null;
  }

  deviceChanged(last, now) {
    if (last.state === "DEVICE_STATE_OFFLINE" && now.state !== last.state) this.#lookAtScreen();
    if ((last.runningOperationId ?? "") === (now.runningOperationId ?? "")) return;
    this.#live = false;
    this.#ink?.clear();
    this.#lookAtScreen();
  }

  get #pad() {
    return this.device.info?.signaturePad ?? {};
  }

  async #lookAtScreen() {
    if (!this.#pad.screenWidth || this.device.state === "DEVICE_STATE_OFFLINE") return;
    try {
      const { outputs } = await this.#hands.output();
      this.#screen = outputs[0]?.image?.data ? outputs[0].image : null;
    } catch {
      this.#screen = null; // not every pad's emulator shows its screen; what is written is drawn all the same
    }
    this.refresh();
  }

  view() {
    const { widthMm = 96, heightMm = 60 } = this.#pad;
    const signing = Boolean(this.device.runningOperationId);
    return [
      h(
        "div",
        { class: `bench-pad-body${this.device.state === "DEVICE_STATE_OFFLINE" ? " off" : ""}`, key: "body" },
        h(
          "div",
          { class: "bench-pad-screen", style: { "aspect-ratio": `${widthMm} / ${heightMm}` } },
          this.#screen
            ? h("img", { key: "screen", class: "bench-pad-picture", alt: this.t("bench.pad.screen"), src: pictureUrl(this.#screen) })
            : h("span", { key: "line", class: "bench-pad-line", "aria-hidden": "true" }),
          h("canvas", {
            key: "ink",
            class: "bench-pad-ink",
            role: "img",
            "aria-label": this.t("bench.pad.canvas"),
            dataset: { testid: "pad-canvas" },
            onpointerdown: (event) => this.#down(event),
            onpointermove: (event) => this.#move(event),
            onpointerup: (event) => this.#up(event),
            onpointercancel: (event) => this.#up(event),
          }),
        ),
      ),
      h(
        "p",
        { class: "bench-hint", key: "hint", dataset: { testid: "pad-state" } },
        this.t(signing ? "bench.pad.waits" : "bench.pad.idle"),
      ),
      h(
        "div",
        { class: "bench-row", key: "buttons" },
        BUTTONS.map((name) =>
          this.button(name, this.t(`bench.pad.${name.toLowerCase()}`), () => this.#press(name), {
            primary: name === "ACCEPT",
            disabled: !signing,
            testid: `pad-${name.toLowerCase()}`,
          })),
        h("span", { class: "bench-gap", key: "gap" }),
        this.button("pen", [icon("pen"), this.t("bench.pad.generated")], () => this.letAPenWrite(), {
          disabled: !signing,
          testid: "pad-generated",
        }),
      ),
      this.problem(),
    ];
  }

  rendered() {
    if (this.#ink) return;
    const canvas = this.querySelector("canvas");
    this.#ink = new InkView(canvas);
    this.#resized.observe(canvas);
  }

  /** Invented handwriting; a new one each time. */
  async letAPenWrite() {
    const seed = Math.floor(Math.random() * 4294967296);
    const { ink } = await this.#hands.sign({ generated: { seed, strokes: 4 } });
    if (!this.#live) this.#drawWritten(ink);
  }

  #drawWritten({ space, strokes = [] }) {
    for (const { points = [] } of strokes) {
      const stroke = this.#ink.begin();
      for (const point of points) this.#ink.add(stroke, inParts(point, space));
    }
  }

  #press(name) {
    return this.#hands.pressPadButton(`PAD_BUTTON_${name}`);
  }

  #pressed(button) {
    if (button === "PAD_BUTTON_CLEAR") this.#ink?.clear();
    this.#lookAtScreen();
  }

  /** What an app that follows a capture hears, as it is written. */
  #showLive({ space, ink, cleared }) {
    if (!this.#ink) return;
    if (cleared || !this.#live) this.#ink.clear();
    this.#live = true;
    if (!ink) return;
    if (!ink.firstPoint || !this.#liveStroke) this.#liveStroke = this.#ink.begin();
    for (const point of ink.points ?? []) this.#ink.add(this.#liveStroke, inParts(point, space));
  }

  #down(event) {
    if (this.#writing || !event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    try {
      event.currentTarget.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is gone already cannot be captured; its stroke is a dot
    }
    this.#writing = { stroke: this.#ink.begin(true), samples: [], pointer: event.pointerId };
    this.#take(event);
  }

  #move(event) {
    if (this.#writing?.pointer !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.#take(one);
  }

  #take(event) {
    const canvas = this.querySelector("canvas");
    const box = canvas.getBoundingClientRect();
    const sample = {
      x: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)),
      y: Math.min(1, Math.max(0, (event.clientY - box.top) / box.height)),
      pressure: event.pointerType === "mouse" ? MOUSE_PRESSURE : event.pressure || MOUSE_PRESSURE,
      ms: event.timeStamp,
    };
    this.#writing.samples.push(sample);
    this.#ink.add(this.#writing.stroke, sample);
  }

  #up(event) {
    if (this.#writing?.pointer !== event.pointerId) return;
    if (event.type === "pointerup") this.#take(event);
    const { stroke, samples } = this.#writing;
    this.#writing = null;
    this.attempt("stroke", async () => {
      try {
        await this.#hands.sign(strokeRequest(samples, spaceOf(this.device)));
        if (this.#live) this.#ink?.drop(stroke);
        else this.#ink?.settle(stroke);
      } catch (error) {
        this.#ink?.drop(stroke);
        throw error;
      }
    });
  }
}

function inParts({ x = 0, y = 0, pressure = 0.5 }, { width, height }) {
  return { x: x / width, y: y / height, pressure };
}

customElements.define("bench-pad", BenchPad);

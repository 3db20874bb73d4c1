/** `<camera-view>`: a camera's live picture. One camera of the page runs at a time, and none while it is hidden. */
import { h } from "../dom.js";
import { numberOf, t } from "../i18n.js";
import { parts } from "../multipart.js";
import { View, icon } from "./element.js";
import { problem } from "./problem.js";
import { nameOf } from "./words.js";

const MOST_FPS = 60; // no screen shows more
const SPAN = 1000;
const STALE = 2000;
const RETRY = 1000;

let running = null;

class CameraView extends View {
  #device = null;
  #abort = null;
  #wanted = false;
  #newest = null;
  #decoding = false;
  #decoded = null;
  #drawn = [];
  #dropped = 0;
  #last = 0;
  #error = null;
  #ticker = 0;

  get device() {
    return this.#device;
  }

  set device(value) {
    this.#device = value;
    this.refresh();
  }

  begun() {
    this.listen(document, "visibilitychange", () => (document.hidden ? this.#hangUp() : this.#wanted && this.#follow()));
  }

  stopped() {
    this.#stop();
  }

  concerns() {
    return false;
  }

  #start() {
    if (running && running !== this) running.#stop();
    running = this;
    this.#wanted = true;
    this.#error = null;
    this.#follow();
    this.#ticker = setInterval(() => this.refresh(), 500);
  }

  #stop() {
    this.#wanted = false;
    if (running === this) running = null;
    clearInterval(this.#ticker);
    this.#hangUp();
    this.refresh();
  }

  #hangUp() {
    this.#abort?.abort();
    this.#abort = null;
    this.#newest = null;
    this.#decoded?.close();
    this.#decoded = null;
    this.#drawn = [];
  }

  /** Takes frames until it is stopped; a stream that breaks is begun anew. */
  async #follow() {
    this.#hangUp();
    const { signal } = (this.#abort = new AbortController());
    while (!signal.aborted) {
      try {
        await this.#take(signal);
        this.#error = null;
      } catch (error) {
        if (signal.aborted) return;
        this.#error = error;
        if (error.code && error.code !== "unavailable") return this.#stop(); // refused: a person must change something first
      }
      this.refresh();
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  async #take(signal) {
    const { ownClaims, rpc } = this.context;
    const claim = ownClaims.tokenFor(this.#device.id);
    const headers = claim ? { "countertop-claim": claim } : {};
    const response = await rpc.fetch(`/cameras/${encodeURIComponent(this.#device.id)}/stream?fps=${MOST_FPS}`, { signal, headers });
    await rpc.check(response);
    for await (const { headers, bytes } of parts(response.body)) {
      this.#error = null;
      if (this.#newest) this.#dropped += 1; // the one before was not decoded in time: the latest wins
      this.#newest = new Blob([bytes], { type: headers.get("content-type") ?? "image/jpeg" });
      this.#decode(signal);
    }
  }

  /** Decodes the newest picture while the one before waits for the screen. */
  async #decode(signal) {
    if (this.#decoding) return;
    this.#decoding = true;
    try {
      while (this.#newest && !signal.aborted) {
        const blob = this.#newest;
        this.#newest = null;
        const picture = await createImageBitmap(blob);
        if (signal.aborted) picture.close();
        else this.#next(picture);
      }
    } catch (error) {
      this.#error = error; // a damaged picture: the next one is another chance
    } finally {
      this.#decoding = false;
    }
  }

  #next(picture) {
    if (this.#decoded) {
      this.#decoded.close();
      this.#dropped += 1;
    } else {
      requestAnimationFrame(() => this.#show());
    }
    this.#decoded = picture;
  }

  #show() {
    const picture = this.#decoded;
    const canvas = this.querySelector("canvas");
    this.#decoded = null;
    if (!picture) return; // hung up meanwhile
    if (!canvas) return picture.close();
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      Object.assign(canvas, { width: picture.width, height: picture.height });
    }
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    this.#last = performance.now();
    this.#drawn = [...this.#drawn.filter((time) => this.#last - time < SPAN), this.#last];
  }

  view() {
    const name = nameOf(this.#device);
    const age = performance.now() - this.#last;
    const stale = this.#wanted && this.#last > 0 && age > STALE;
    const fps = this.#drawn.filter((time) => performance.now() - time < SPAN).length;
    return h("div", { class: "camera" },
      this.#wanted || this.#last
        ? h("canvas", { key: "canvas", class: stale || !this.#wanted ? "stale" : "", role: "img", "aria-label": t("camera.picture", { device: name }), width: 640, height: 480 })
        : null,
      this.#error ? problem(this.#error) : null,
      h("div", { class: "row", key: "controls" },
        h("button", {
          type: "button", class: "button", key: "toggle", dataset: { testid: `live-${this.#device.id}` }, "aria-pressed": String(this.#wanted),
          onclick: () => (this.#wanted ? this.#stop() : this.#start()),
        }, icon(this.#wanted ? "pause" : "play"), t(this.#wanted ? "camera.stop" : "camera.start")),
        this.#wanted
          ? h("span", { class: "muted small", key: "fps", dataset: { testid: "fps" } },
              stale ? t("camera.stale", { seconds: Math.round(age / 1000) }) : t("camera.fps", { fps: numberOf(fps), dropped: numberOf(this.#dropped) }))
          : null));
  }
}

customElements.define("camera-view", CameraView);

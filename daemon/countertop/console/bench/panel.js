/** `<bench-panel>`: the hands on one emulated device, by its kind. Properties: `context` and `device`. */
import { h } from "../dom.js";
import "./camera.js";
import "./cards.js";
import "./faults.js";
import "./pad.js";
import "./printer.js";
import "./reader.js";
import { BenchElement } from "./element.js";
import { ensureStyles } from "./styles.js";

const ELEMENTS = {
  DEVICE_KIND_ID_READER: "bench-reader",
  DEVICE_KIND_SIGNATURE_PAD: "bench-pad",
  DEVICE_KIND_CAMERA: "bench-camera",
  DEVICE_KIND_RECEIPT_PRINTER: "bench-printer",
  DEVICE_KIND_CARD_PRINTER: "bench-cards",
};

class BenchPanel extends BenchElement {
  begun() {
    ensureStyles();
  }

  view() {
    const { context, device } = this;
    if (!device.emulated) return [];
    const element = ELEMENTS[device.kind];
    this.dataset.testid = `bench-${device.id}`;
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", this.t("bench.panel", { device: device.id }));
    const unplugged = device.state === "DEVICE_STATE_OFFLINE";
    return [
      unplugged ? h("p", { class: "bench-problem", key: "offline" }, this.t("bench.offline")) : null,
      element ? h(element, { key: "hands", ".context": context, ".device": device }) : null,
      this.hasAttribute("plain") ? null : h("bench-faults", { key: "faults", ".context": context, ".device": device }),
    ];
  }
}

customElements.define("bench-panel", BenchPanel);

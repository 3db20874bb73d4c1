/** A camera: what is before it, what is wrong with the picture, and what it sees. */
import { h } from "../dom.js";
import { BenchElement } from "./element.js";
import { handsOf } from "./hands.js";
import { pictureFile, thumbnail } from "./pictures.js";
import { icon } from "./svg.js";

const SCENES = [
  ["PERSON", "person"],
  ["OTHER_PERSON", "other"],
  ["TWO_PEOPLE", "two"],
  ["PHONE_REPLAY", "phone"],
  ["PRINT", "print"],
  ["EMPTY", "empty"],
  ["CODE", "code"],
  ["DOCUMENT", "document"],
  ["MAT", "mat"],
];
const FLAWS = ["UNSPECIFIED", "DARK", "BLUR", "GLARE"];
const TURNED = new Set(["CODE", "DOCUMENT"]);
const PICTURED = new Set(["PERSON", "PHONE_REPLAY", "PRINT", "TWO_PEOPLE", "DOCUMENT"]);

class BenchCamera extends BenchElement {
  #hands;
  #wanted = { scene: "PERSON", flaw: "UNSPECIFIED", turned: 0, size: 0, text: "", picture: "", file: "" };
  #frame; // null where there is none, undefined before it was looked at
  #onScene = () => this.#sceneSet();

  begun() {
    this.#hands = handsOf(this.context, this.device.id);
    this.#hands.addEventListener("scene", this.#onScene);
    if (this.#hands.scene) this.#sceneSet(); // in another panel
    else this.#look();
  }

  stopped() {
    this.#hands.removeEventListener("scene", this.#onScene);
  }

  deviceChanged(last, now) {
    if (last.state === "DEVICE_STATE_OFFLINE" && now.state !== last.state) this.#look();
  }

  #sceneSet() {
    const { scene, flaw, turned = 0, size = 0, text = "" } = this.#hands.scene;
    Object.assign(this.#wanted, { scene: bare(scene), flaw: bare(flaw), turned, size, text });
    this.#look();
  }

  /** The camera's next frame but one: the scene is in it. */
  async #look() {
    try {
      await this.context.rpc.call("countertop.v1.CameraService/GetFrame", { deviceId: this.device.id });
      const { frame } = await this.context.rpc.call("countertop.v1.CameraService/GetFrame", { deviceId: this.device.id });
      this.#frame = frame;
    } catch {
      this.#frame = null; // the device's card tells why; the place for the picture says that there is none
    }
    this.refresh();
  }

  view() {
    const t = (key) => this.t(key);
    return [
      h(
        "div",
        { class: "bench-camera-view", key: "view" },
        this.#frame?.data
          ? thumbnail(this.#frame, { alt: t("bench.camera.sees"), name: "frame", t, testid: "camera-frame" })
          : h("span", { class: "bench-none" }, this.#frame === null ? t("bench.camera.dark") : "…"),
        this.button("look", t("bench.camera.look"), () => this.#look(), { testid: "camera-look" }),
      ),
      this.#scenes(),
      this.#settings(),
      this.problem(),
    ];
  }

  #scenes() {
    return h(
      "fieldset",
      { class: "bench-scenes", key: "scenes" },
      h("legend", null, this.t("bench.camera.scene")),
      SCENES.map(([scene, picture]) =>
        h(
          "label",
          { key: scene, class: "bench-scene", dataset: { testid: `scene-${scene.toLowerCase().replaceAll("_", "-")}` } },
          h("input", {
            type: "radio",
            name: `scene-${this.device.id}`,
            checked: this.#wanted.scene === scene,
            onchange: () => this.#set({ scene }),
          }),
          icon(picture),
          h("span", null, this.t(`bench.scene.${scene.toLowerCase()}`)),
        )),
    );
  }

  #settings() {
    const { scene, turned, size, text } = this.#wanted;
    const apply = () => this.#set({});
    const slide = (name, props) =>
      h("input", {
        type: "range",
        ...props,
        value: String(this.#wanted[name]),
        oninput: (event) => {
          this.#wanted[name] = Number(event.target.value);
          this.refresh();
        },
        onchange: apply,
        dataset: { testid: `camera-${name}` },
      });
    return h(
      "div",
      { class: "bench-form", key: "settings" },
      h(
        "label",
        { class: "bench-field", key: "flaw" },
        h("span", null, this.t("bench.camera.flaw")),
        h(
          "select",
          {
            value: this.#wanted.flaw,
            dataset: { testid: "camera-flaw" },
            onchange: (event) => this.#set({ flaw: event.target.value }),
          },
          FLAWS.map((flaw) =>
            h("option", { value: flaw, selected: flaw === this.#wanted.flaw }, this.t(`bench.sceneflaw.${flaw.toLowerCase()}`))),
        ),
      ),
      TURNED.has(scene)
        ? h("label", { class: "bench-field", key: "turned" }, h("span", null, this.t("bench.camera.turned", { degrees: turned })),
            slide("turned", { min: -180, max: 180, step: 5 }))
        : null,
      scene === "EMPTY" || scene === "MAT"
        ? null
        : h("label", { class: "bench-field", key: "size" },
            h("span", null, size ? this.t("bench.camera.size", { percent: Math.round(size * 100) }) : this.t("bench.camera.size_own")),
            slide("size", { min: 0, max: 1.2, step: 0.05 })),
      scene === "CODE"
        ? h("label", { class: "bench-field wide", key: "text" }, h("span", null, this.t("bench.camera.text")),
            h("input", {
              type: "text", value: text, maxlength: 1024, autocomplete: "off", dataset: { testid: "camera-text" },
              placeholder: "https://pay.example/…",
              onchange: (event) => this.#set({ text: event.target.value }),
            }))
        : null,
      PICTURED.has(scene)
        ? h("label", { class: "bench-field wide", key: "file" },
            h("span", null, this.#wanted.file ? this.t("bench.camera.own", { name: this.#wanted.file }) : this.t("bench.camera.picture")),
            h("input", { type: "file", accept: "image/*", dataset: { testid: "camera-file" }, onchange: (event) => this.#upload(event) }))
        : null,
      this.#wanted.file
        ? this.button("drawn", this.t("bench.camera.drawn"), () => this.#apply({ picture: "", file: "" }), { testid: "camera-drawn" })
        : null,
    );
  }

  #upload(event) {
    const [file] = event.target.files;
    if (file) this.attempt("upload", async () => this.#apply({ picture: await pictureFile(file), file: file.name }));
  }

  #set(change) {
    return this.attempt("scene", () => this.#apply(change));
  }

  async #apply(change) {
    const wanted = Object.assign(this.#wanted, change);
    this.refresh();
    await this.#hands.setScene({
      scene: `SCENE_${wanted.scene}`,
      flaw: `SCENE_FLAW_${wanted.flaw}`,
      ...(TURNED.has(wanted.scene) ? { turned: wanted.turned } : {}),
      ...(wanted.size ? { size: Math.max(0.05, wanted.size) } : {}),
      ...(wanted.scene === "CODE" && wanted.text ? { text: wanted.text } : {}),
      ...(PICTURED.has(wanted.scene) && wanted.picture ? { picture: { data: wanted.picture } } : {}),
    });
  }
}

function bare(name = "SCENE_FLAW_UNSPECIFIED") {
  return name.replace("SCENE_FLAW_", "").replace("SCENE_", "");
}

customElements.define("bench-camera", BenchCamera);

/** Pictures that the daemon sends, on the page. */
import { h } from "../dom.js";

/** The address of an Image of the daemon. */
export function pictureUrl({ mediaType = "image/png", data }) {
  return `data:${mediaType};base64,${data}`;
}

/** The bytes of base64, standard or for addresses. */
export function bytesOf(base64) {
  const binary = atob(base64.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function base64Of(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/** Lets the browser save a file. */
export function save(name, mediaType, bytes) {
  const address = URL.createObjectURL(new Blob([bytes], { type: mediaType }));
  const link = h("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A button with a picture that opens large. */
export function thumbnail(image, { alt, name, t, className = "", testid = "" }) {
  return h(
    "button",
    {
      type: "button",
      class: `bench-thumbnail ${className}`,
      title: t("bench.zoom"),
      dataset: testid ? { testid } : {},
      onclick: () => showLarge(image, { alt, name, t }),
    },
    h("img", { src: pictureUrl(image), alt }),
  );
}

/** The picture in a dialog, which Escape closes, with a button that saves it. */
export function showLarge(image, { alt, name, t }) {
  const close = () => dialog.close();
  const type = image.mediaType ?? "image/png";
  const dialog = h(
    "dialog",
    { class: "bench-dialog", "aria-label": alt, onclose: () => dialog.remove() },
    h("div", { class: "bench-dialog-picture", tabindex: 0 }, h("img", { src: pictureUrl(image), alt })),
    h(
      "div",
      { class: "bench-row" },
      h(
        "button",
        {
          type: "button",
          class: "bench-button",
          dataset: { testid: "picture-save" },
          onclick: () => save(`${name}.${type === "image/jpeg" ? "jpg" : "png"}`, type, bytesOf(image.data)),
        },
        t("bench.save_picture"),
      ),
      h("button", { type: "button", class: "bench-button primary", onclick: close, autofocus: true }, t("bench.close")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}

/** A file of the person's, as base64 of at most `most` bytes; a larger picture is made smaller as JPEG. */
export async function pictureFile(file, most = 700_000) {
  if (file.size <= most && ["image/jpeg", "image/png", "image/bmp"].includes(file.type)) {
    return base64Of(new Uint8Array(await file.arrayBuffer()));
  }
  const bitmap = await createImageBitmap(file);
  for (let side = 1600; side >= 200; side /= 2) {
    const blob = await smaller(bitmap, side);
    if (blob.size <= most) return base64Of(new Uint8Array(await blob.arrayBuffer()));
  }
  throw new Error("This picture cannot be made small enough.");
}

function smaller(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser cannot make a JPEG."))), "image/jpeg", 0.85);
  });
}

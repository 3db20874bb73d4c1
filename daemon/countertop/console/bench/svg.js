/** Drawings: elements of SVG, and the icons of the bench. */
import { h } from "../dom.js";

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element. Attributes that are null are left out. */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/**
 * A drawing that the page replaces as a whole when `key` or the language is another. With a label it is a picture to screen readers,
 * without one it is decoration.
 */
export function drawing(key, width, height, { label = "", className = "" }, ...children) {
  const told = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return h(
    "span",
    { key: `drawing-${key}${label && document.documentElement.lang}`, class: `bench-drawing ${className}` },
    s("svg", { viewBox: `0 0 ${width} ${height}`, focusable: "false", ...told }, ...children),
  );
}

/** Paths of 24 by 24 icons, drawn with a stroke of 1.8. */
const ICONS = {
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4.4 3.6-7 8-7s8 2.6 8 7",
  other: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4.4 3.6-7 8-7s8 2.6 8 7M7.5 6.5C9 4.5 14 3 16.5 8",
  phone: "M7 2.5h10a1 1 0 0 1 1 1v17a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1v-17a1 1 0 0 1 1-1zM12 11.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8.7 17c0-2.2 1.5-3.5 3.3-3.5s3.3 1.3 3.3 3.5",
  print: "M5 3h11l3 3v15H5zM16 3v3h3M12 13a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8.3 18.5c0-2.3 1.7-3.7 3.7-3.7s3.7 1.4 3.7 3.7",
  empty: "M4 5h16v14H4zM4 15l4-4 4 4M14 12l2-2 4 4",
  two: "M8.5 12a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM2.5 20c0-3.6 2.6-5.8 6-5.8s6 2.2 6 5.8M16 11.4a2.8 2.8 0 1 0 0-5.6M16.5 14c3 .2 5 2.3 5 5.5",
  code: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.5v2.5H14zM18 18h2v2h-2zM18.5 14H20M14 19.5v.5",
  document: "M6 3h9l4 4v14H6zM15 3v4h4M9 11h7M9 14.5h7M9 18h4",
  mat: "M3 6h18v12H3zM3 18l18-12",
  plug: "M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4",
  power: "M12 3v8M6.5 6.5a8 8 0 1 0 11 0",
  bug: "M8 9a4 4 0 0 1 8 0v5a4 4 0 0 1-8 0zM12 9v9M4 12h4M16 12h4M5 6l3 2.5M19 6l-3 2.5M5 19l3-2.5M19 19l-3-2.5",
  card: "M3 6h18v12H3zM3 10h18",
  pen: "M4 20l1-4L16.5 4.5a2.1 2.1 0 0 1 3 3L8 19z",
  check: "M4.5 12.5l5 5 10-11",
  cross: "M6 6l12 12M18 6L6 18",
  wait: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11V4a1.5 1.5 0 0 1 3 0v7V5.5a1.5 1.5 0 0 1 3 0V14c0 4-2 7-6 7-3 0-4.500-1.500-6-4l-2-3.500c-.6-1 .9-2.200 1.800-1.400z",
  alert: "M12 3.500l9.500 17h-19zM12 10v4.500M12 17.300v.4",
  paper: "M6 3h12v18l-2-1.500-2 1.500-2-1.500-2 1.500-2-1.500L6 21zM9 8h6M9 12h6",
  upload: "M12 16V4M7 9l5-5 5 5M4 20h16",
};

/** An icon by its name. */
export function icon(name, className = "") {
  const path = s("path", {
    d: ICONS[name],
    fill: "none",
    stroke: "currentColor",
    "stroke-width": 1.8,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
  return drawing(`icon-${name}`, 24, 24, { className: `bench-icon ${className}` }, path);
}

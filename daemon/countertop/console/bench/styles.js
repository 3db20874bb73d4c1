/** The bench's own style sheet, once for the page. */
const ADDRESS = new URL("bench.css", import.meta.url).href;

export function ensureStyles() {
  if ([...document.styleSheets].some(({ href }) => href === ADDRESS) || document.querySelector(`link[href="${ADDRESS}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = ADDRESS;
  document.head.append(link);
}

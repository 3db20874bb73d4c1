/**
 * Elements without a framework: `h` makes them, `morph` brings what is on the page to what it should be without
 * touching what is right already, so that focus, scroll positions and typed text survive.
 *
 * Text reaches the page through text nodes only: nothing that the daemon says is ever read as markup.
 */

const PROPS = Symbol("props");
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "indeterminate", "htmlFor"]);

/**
 * Makes an element. Props: `class`, `style` (an object of CSS properties), `dataset` (an object), `onclick` and the like
 * (functions), `.name` (a property of a custom element), `key` (tells siblings apart in `morph`), `id`, `role`, `aria-…`
 * and every other attribute; `true` is an empty attribute, `false`, `null` and `undefined` leave it out.
 * Children: nodes, strings, numbers, arrays of them; `null`, `undefined` and `false` are left out.
 *
 * @param {string} tag
 * @param {Record<string, unknown> | null} [props]
 * @param {...unknown} children
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  applyProps(element, props ?? {});
  append(element, children);
  return element;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === true) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/** Brings an element's props to `next`; what did not change is left alone, also where a person has typed since. */
function applyProps(element, next) {
  const last = element[PROPS] ?? {};
  for (const name of Object.keys(last)) if (!(name in next)) applyProp(element, name, last[name], undefined);
  for (const [name, value] of Object.entries(next)) {
    if (value !== last[name] || name === "style") applyProp(element, name, last[name], value);
  }
  element[PROPS] = next;
}

function applyProp(element, name, last, value) {
  if (name === "key") return;
  if (name.startsWith(".")) element[name.slice(1)] = value;
  else if (name.startsWith("on")) applyListener(element, name.slice(2), last, value);
  else if (name === "style") applyStyle(element, last ?? {}, value ?? {});
  else if (name === "dataset") applyDataset(element, last ?? {}, value ?? {});
  else if (PROPERTIES.has(name)) element[name] = value ?? (typeof last === "string" ? "" : false);
  else if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

function applyListener(element, type, last, value) {
  if (last) element.removeEventListener(type, last);
  if (value) element.addEventListener(type, value);
}

function applyStyle(element, last, value) {
  for (const name of Object.keys(last)) if (!(name in value)) element.style.removeProperty(name);
  for (const [name, text] of Object.entries(value)) element.style.setProperty(name, String(text));
}

function applyDataset(element, last, value) {
  for (const name of Object.keys(last)) if (!(name in value)) delete element.dataset[name];
  for (const [name, text] of Object.entries(value)) element.dataset[name] = String(text);
}

/**
 * Makes the children of `parent` like `children`, keeping the elements that are there: matched by `key`, else by place
 * and tag. A custom element's own children are left to it.
 *
 * @param {Element | ShadowRoot} parent
 * @param {...unknown} children
 */
export function morph(parent, ...children) {
  const focused = document.activeElement;
  const fragment = document.createDocumentFragment();
  append(fragment, children);
  morphChildren(parent, fragment);
  if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) focused.focus();
}

function keyOf(node) {
  return node[PROPS]?.key;
}

function alike(old, next) {
  return old.nodeType === next.nodeType && old.nodeName === next.nodeName && keyOf(old) === keyOf(next);
}

/** Among what is not yet matched: so that an element that comes or goes in the middle does not shift all that follow. */
function firstAlike(old, next) {
  while (old && !alike(old, next)) old = old.nextSibling;
  return old;
}

function morphChildren(parent, target) {
  const keyed = new Map();
  for (const child of parent.childNodes) if (keyOf(child) !== undefined) keyed.set(keyOf(child), child);
  let old = parent.firstChild;
  for (const next of [...target.childNodes]) {
    const key = keyOf(next);
    const match = key === undefined ? firstAlike(old, next) : keyed.get(key);
    if (match && alike(match, next)) {
      if (match === old) old = old.nextSibling;
      else parent.insertBefore(match, old);
      keyed.delete(key);
      morphNode(match, next);
    } else {
      parent.insertBefore(next, old);
    }
  }
  while (old) {
    const gone = old;
    old = old.nextSibling;
    gone.remove();
  }
}

function morphNode(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old === next) return;
  applyProps(old, next[PROPS] ?? {});
  if (!old.localName.includes("-")) morphChildren(old, next);
}

/**
 * Keyed reconcile for lists whose items look after themselves: makes an element for each new key, updates those that
 * stay, removes those that went, and moves as few as possible.
 *
 * @template T
 * @param {Element} parent
 * @param {Iterable<T>} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} create
 * @param {(element: HTMLElement, item: T) => void} [update]
 */
export function reconcile(parent, items, key, create, update) {
  const focused = document.activeElement;
  const have = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let element = have.get(name);
    have.delete(name);
    if (!element) {
      element = create(item);
      element.dataset.key = name;
    }
    update?.(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const gone of have.values()) gone.remove();
  if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) focused.focus();
}

/** Sets an element's text when it differs, so that live regions do not speak twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A random id for an operation: a UUID, also on pages without a secure context. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

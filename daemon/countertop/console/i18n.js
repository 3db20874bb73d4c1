/** Words in the language that is chosen. Dictionaries are plain objects: key -> text with `{names}` in it. */
import en from "./lang/en.js";
import { reasonsEn, reasonsZh } from "./lang/reasons.js";
import zh from "./lang/zh.js";

const KEPT = "countertop.language";
const dictionaries = { en: { ...reasonsEn, ...en }, zh: { ...reasonsZh, ...zh } };
const listeners = new Set();
let language = kept() ?? (globalThis.navigator?.language?.startsWith("zh") ? "zh" : "en");

function kept() {
  const value = globalThis.localStorage?.getItem(KEPT);
  return value in dictionaries ? value : null;
}

/**
 * The text of a key; the key itself, made readable, when nobody wrote one, so that a newer daemon's words still show.
 * @param {string} key
 * @param {Record<string, unknown>} [params]
 */
export function t(key, params = {}) {
  const text = dictionaries[language][key] ?? dictionaries.en[key] ?? readable(key);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

export function hasText(key) {
  return key in dictionaries.en;
}

/** @param {string} key */
function readable(key) {
  return /^[A-Z][A-Z_0-9]+$/.test(key) ? key.toLowerCase().replaceAll("_", " ") : key;
}

/** @returns {"en" | "zh"} */
export function currentLanguage() {
  return language;
}

/** @param {"en" | "zh"} wanted */
export function setLanguage(wanted) {
  language = wanted;
  globalThis.localStorage?.setItem(KEPT, wanted);
  if (globalThis.document) document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  for (const listener of [...listeners]) listener(wanted);
}

/** Calls back when another language was chosen; answers with what ends that. */
export function onLanguage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * @param {"en" | "zh"} lang
 * @param {Record<string, string>} words
 */
export function addTranslations(lang, words) {
  Object.assign(dictionaries[lang], words);
}

const locale = () => (language === "zh" ? "zh-CN" : "en-GB");

/** A time of day: "14:03:22"; of another day with its date. @param {string | undefined} stamp */
export function timeOf(stamp) {
  if (!stamp) return "";
  const time = new Date(stamp);
  const today = time.toDateString() === new Date().toDateString();
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return time.toLocaleString(locale(), today ? clock : { ...clock, month: "short", day: "numeric" });
}

/** @param {string | undefined} stamp */
export function dateTimeOf(stamp) {
  return stamp ? new Date(stamp).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "medium" }) : "";
}

/** @param {number} value */
export function numberOf(value, options = {}) {
  return value.toLocaleString(locale(), options);
}

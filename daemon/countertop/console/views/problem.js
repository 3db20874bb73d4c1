/** What was refused or failed, as it is: the sentence, what to do, and the facts for who looks into it. */
import { h } from "../dom.js";
import { currentLanguage, t } from "../i18n.js";

/** An error in the page's language; an error of the page itself as it is. */
export function sentenceOf(error) {
  return error.localized?.(currentLanguage()) || error.message || String(error);
}

/**
 * @param {any} error
 * @param {{key?: string, onDismiss?: () => void}} [options]
 */
export function problem(error, { key = "problem", onDismiss } = {}) {
  const sentence = sentenceOf(error);
  const detail = error.message && error.message !== sentence ? error.message : "";
  return h(
    "div",
    { class: "problem", role: "alert", key, dataset: { testid: "problem", reason: error.reason ?? "" } },
    h("span", { class: "icon alert", "aria-hidden": "true" }),
    h(
      "div",
      { class: "problem-body" },
      h("p", { class: "problem-sentence" }, sentence),
      detail ? h("p", { class: "problem-detail", lang: "en" }, detail) : null,
      error.violations?.length
        ? h("ul", null, error.violations.map(({ field, description }) => h("li", { lang: "en" }, h("code", null, field), ` ${description}`)))
        : null,
      error.deviceFault ? faultFacts(error.deviceFault) : null,
      error.reason ? h("p", { class: "problem-code" }, h("code", null, error.reason)) : null,
    ),
    onDismiss ? h("button", { type: "button", class: "button quiet", onclick: onDismiss, "aria-label": t("close") }, "✕") : null,
  );
}

/** The device's side of a failure, as a list of facts. */
export function faultFacts({ step, expected, got, fixedBy, action, physicalEffect }) {
  const facts = [
    ["fault.action", action],
    ["fault.fixed_by", fixedBy && fixedBy !== "FIXED_BY_UNSPECIFIED" ? t(fixedBy) : ""],
    ["fault.effect", physicalEffect && physicalEffect !== "PHYSICAL_EFFECT_UNSPECIFIED" ? t(physicalEffect) : ""],
    ["fault.step", step],
    ["fault.expected", expected],
    ["fault.got", got],
  ];
  return factList(facts.map(([key, value]) => [t(key), value]));
}

/** Pairs of a word and a value; those without a value are left out. */
export function factList(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null)
      .map(([word, value]) => [h("dt", { key: `word-${word}` }, word), h("dd", { key: `value-${word}` }, value)]),
  );
}

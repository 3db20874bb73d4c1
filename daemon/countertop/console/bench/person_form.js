/** The form that makes an invented person with a card, right or subtly wrong. */
import { h } from "../dom.js";
import { ETHNICITIES, KINDS, makePerson } from "./people.js";
import { factsOf } from "./person_facts.js";

const ADDRESS = "样例省样例市新建区想象路1号";

/**
 * @param {(key: string) => string} t
 * @param {number} count of people who were made before: makes the numbers differ
 * @param {(person: object) => void} made
 */
export function personForm(t, count, made) {
  const field = (name, control) => h("label", { class: "bench-field" }, h("span", null, t(`bench.person.${name}`)), control);
  const input = (name, props) => h("input", { name, id: null, ...props, dataset: { testid: `person-${name}` } });
  const select = (name, options) =>
    h(
      "select",
      { name, dataset: { testid: `person-${name}` } },
      options.map(([value, label]) => h("option", { value }, label)),
    );

  function submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.currentTarget));
    made(makePerson(factsOf(values, count)));
  }

  return h(
    "form",
    { class: "bench-form", onsubmit: submit },
    field("kind", select("kind", Object.keys(KINDS).map((kind) => [kind, t(`bench.kind.${kind}`)]))),
    field("name", input("name", { required: true, maxlength: 15, autocomplete: "off", value: "周新建" })),
    field("latin", input("latin", { maxlength: 40, autocomplete: "off", pattern: "[A-Z ,.'-]*", placeholder: "NEW, PERSON" })),
    field("sex", select("sex", [["SEX_FEMALE", t("bench.sex.female")], ["SEX_MALE", t("bench.sex.male")]])),
    field("birth", input("birth", { type: "date", required: true, min: "1900-01-01", max: "2099-12-31", value: "1992-04-18" })),
    field("ethnicity", select("ethnicity", Object.entries(ETHNICITIES).map(([code, name]) => [code, `${code} ${name}`]))),
    field("nationality", input("nationality", { maxlength: 3, pattern: "[A-Z]{3}", value: "UTO" })),
    field("address", input("address", { maxlength: 35, value: ADDRESS })),
    field("from", input("from", { type: "date", required: true, value: "2024-01-01" })),
    field("until", input("until", { type: "date", value: "2044-01-01" })),
    field("wrong", select("wrong", ["none", "expired", "digit"].map((flaw) => [flaw, t(`bench.flaw.${flaw}`)]))),
    h("button", { class: "bench-button primary", dataset: { testid: "person-save" } }, t("bench.person.save")),
  );
}

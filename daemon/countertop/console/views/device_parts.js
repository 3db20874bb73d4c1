/** What a device's card tells: conditions, consumables, the medium, facts. */
import { h } from "../dom.js";
import { dateTimeOf, hasText, t, timeOf } from "../i18n.js";
import { factList, faultFacts } from "./problem.js";
import { pill } from "./words.js";

const LEVELS = { SUPPLY_LEVEL_OK: 1, SUPPLY_LEVEL_LOW: 0.15, SUPPLY_LEVEL_OUT: 0 };
const HIDDEN_FACTS = new Set(["vendor", "model", "serial", "firmware", "vendorCommands"]);

/** What stands, the gravest first; and why the device is away or its driver failed. */
export function conditions({ status, failure }) {
  const rank = ["SEVERITY_BLOCKING", "SEVERITY_WARNING", "SEVERITY_INFO"];
  const standing = [...(status?.conditions ?? [])].sort((one, other) => rank.indexOf(one.severity) - rank.indexOf(other.severity));
  if (!standing.length && !failure) return null;
  return h("ul", { class: "conditions", key: "conditions", "aria-label": t("conditions") },
    failure ? h("li", { key: "failure", class: "condition" }, failureOf(failure)) : null,
    standing.map((condition) => h("li", { key: condition.reason, class: "condition" }, conditionOf(condition))));
}

function conditionOf({ severity = "SEVERITY_INFO", reason, since, fixedBy, action }) {
  return [
    h("div", { class: "row" }, pill(severity), h("strong", { class: "grow" }, t(reason)), h("span", { class: "muted small" }, timeOf(since))),
    toDo(fixedBy, action),
  ];
}

function toDo(fixedBy, action) {
  const who = fixedBy && fixedBy !== "FIXED_BY_UNSPECIFIED" ? t(fixedBy) : "";
  if (!who && !action) return null;
  return h("p", { class: "to-do" }, who ? h("span", { class: "who" }, who) : null, action ? h("span", { lang: "en" }, action) : null);
}

/** A failure in short, its facts folded away. */
export function failureOf({ reason, message, deviceFault }) {
  const { action, fixedBy, ...facts } = deviceFault ?? {};
  return [
    h("div", { class: "row", key: "reason" }, h("strong", { class: "grow tone-bad" }, t(reason))),
    toDo(fixedBy, action),
    message || facts.step
      ? h("details", { key: "fault" }, h("summary", null, t("fault.details")), message ? h("p", { class: "muted", lang: "en" }, message) : null, faultFacts(facts))
      : null,
  ];
}

/** Meters of what gets used up. */
export function supplies({ status }) {
  const consumables = status?.consumables ?? [];
  const media = status?.media ?? "MEDIA_STATE_UNSPECIFIED";
  const place = status?.card?.place ?? "CARD_PLACE_UNSPECIFIED";
  const facts = [
    media === "MEDIA_STATE_UNSPECIFIED" ? null : [t("media"), t(media)],
    place === "CARD_PLACE_UNSPECIFIED" ? null : [t("card.place"), t(place)],
    ...(status?.cardUnits ?? []).map((unit) => [word("unit", unit.name), unit.sensed ? t(unit.sensed) : "—"]),
  ].filter(Boolean);
  if (!consumables.length && !facts.length) return null;
  return h("div", { class: "supplies", key: "supplies" }, consumables.map(supply), facts.length ? factList(facts) : null);
}

function supply({ name, level = "SUPPLY_LEVEL_UNSPECIFIED", type, remaining, capacity }) {
  const counted = remaining !== undefined && capacity > 0;
  const share = counted ? Math.min(1, remaining / capacity) : LEVELS[level] ?? 0;
  const tone = level === "SUPPLY_LEVEL_OUT" ? "bad" : level === "SUPPLY_LEVEL_LOW" ? "warn" : "good";
  const label = word("supply", name);
  const text = counted ? `${remaining} / ${capacity}` : remaining !== undefined ? String(remaining) : t(level);
  return h("div", { class: "supply", key: name },
    h("span", { class: "supply-name" }, label, type ? h("span", { class: "muted" }, ` ${type}`) : null),
    level === "SUPPLY_LEVEL_UNSPECIFIED" && !counted
      ? null
      : h("span", { class: `meter ${tone}`, role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100,
          "aria-valuenow": Math.round(share * 100), "aria-valuetext": text },
          h("span", { style: { width: `${Math.round(share * 100)}%` } })),
    h("span", { class: `small ${tone === "good" ? "muted" : `tone-${tone}`}` }, counted && tone !== "good" ? `${text} · ${t(level)}` : text));
}

/** A name of the device's own, in words where there are some. */
function word(family, name) {
  return hasText(`${family}.${name}`) ? t(`${family}.${name}`) : name;
}

/** Everything else that is known, folded away. */
export function deviceFacts(device) {
  const { info = {}, status } = device;
  const capabilities = Object.entries(info).find(([name]) => !HIDDEN_FACTS.has(name))?.[1] ?? {};
  const scalar = Object.entries(capabilities).filter(([, value]) => typeof value !== "object");
  return h("details", { class: "fold", key: "facts" },
    h("summary", null, t("device.facts")),
    factList([
      ["id", h("code", null, device.id)],
      [t("device.driver"), device.isolated ? `${device.driver} (${t("device.isolated")})` : device.driver],
      [t("device.link"), h("code", null, device.link ?? "")],
      [t("device.serial"), info.serial],
      [t("device.firmware"), info.firmware],
      [t("device.unit"), device.unit && device.unit !== device.id ? device.unit : ""],
      [t("device.labels"), Object.entries(device.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(", ")],
      [t("card.since"), status?.card?.since ? dateTimeOf(status.card.since) : ""],
      [t("device.capabilities"), scalar.map(([name, value]) => (value === true ? name : `${name}: ${value}`)).join(", ")],
      [t("device.vendor_commands"), (info.vendorCommands ?? []).map(({ command }) => command).join(", ")],
    ]));
}

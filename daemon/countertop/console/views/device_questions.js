/** The questions before a health check and before maintenance, and what a check found. */
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { ask, show } from "./dialog.js";
import { icon } from "./element.js";
import { nameOf } from "./words.js";

const LEVELS = ["HEALTH_LEVEL_INTERNAL", "HEALTH_LEVEL_EXTERNAL", "HEALTH_LEVEL_INTERACTIVE"];

export function askHealth({ acts, announce }, device) {
  const name = nameOf(device);
  ask({
    title: t("health.title", { device: name }),
    fields: [{ name: "level", label: t("health.level"), type: "select", hint: t("health.hint"), options: LEVELS.map((level) => [level, t(level)]) }],
    submit: t("health.begin"),
    onSubmit: async ({ level }) => {
      const result = await acts.checkHealth(device.id, level);
      const verdict = t(result.healthy ? "health.well" : "health.unwell", { device: name });
      announce(verdict);
      return () => show({ title: verdict, children: findings(result.findings ?? []) });
    },
  });
}

function findings(list) {
  return h("ul", { class: "findings" }, list.map(({ item, passed, detail }) =>
    h("li", { class: passed ? "tone-good" : "tone-bad" }, icon(passed ? "check" : "cross"),
      h("span", null, h("strong", null, item), ` — ${t(passed ? "health.passed" : "health.failed")}`,
        detail ? h("span", { class: "muted" }, ` ${detail}`) : null))));
}

export function askMaintenance({ acts }, device) {
  ask({
    title: t("maintenance.title", { device: nameOf(device) }),
    note: t("maintenance.note"),
    fields: [{ name: "reason", label: t("reason"), hint: t("reason.hint"), required: true, maxlength: 256 }],
    submit: t("device.maintain"),
    onSubmit: ({ reason }) => acts.setMaintenance(device.id, true, reason),
  });
}

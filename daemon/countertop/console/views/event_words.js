/** An entry of the log (store_log.js) in words. */
import { hasText, t } from "../i18n.js";
import { nameOf, promptOf, toneOf, verbOf } from "./words.js";

/** @returns {{tone: string, picture: string, text: string, device: string}} */
export function wordsOf(entry, store) {
  const device = entry.deviceIds.map((id) => nameOf(store.device(id), id)).join(", ");
  const [tone, picture, text] = (WORDS[entry.type] ?? (() => ["muted", "info", entry.type]))(entry);
  return { tone, picture, text, device };
}

const WORDS = {
  device: ({ changes, device }) => [toneOf(device.state), "device", changes.map(changeWords).join(" · ")],
  operation: operationWords,
  media: ({ media }) => ["muted", "device", t("event.media", { media: t(media ?? "MEDIA_STATE_UNSPECIFIED") })],
  claim: ({ claim }) => [toneOf(claim.state), "lock", t("event.claim", { label: claim.label, state: t(claim.state) })],
  card: ({ moved }) => ["muted", "card-printer", t("event.card", { movement: t(moved.movement), place: t(moved.place ?? "CARD_PLACE_UNSPECIFIED") })],
  unit: ({ unit }) => ["warn", "card-printer", t("event.unit", { unit: unit.unit?.name ?? "", level: t(unit.level ?? "CARD_UNIT_LEVEL_UNSPECIFIED"), count: unit.count ?? 0 })],
  gap: () => ["warn", "alert", t("event.gap")],
  hole: ({ from, to }) => ["bad", "alert", t("event.hole", { from, to })],
  connection: ({ connection }) => [connection === "live" ? "good" : "bad", "pulse", t(`connection.${connection}`)],
};

function changeWords({ what, from, to, reason, severity, name, level }) {
  if (what === "state" || what === "busy") return from ? `${t(from)} → ${t(to)}` : t(to);
  if (what === "admin") return t(to);
  if (what === "stands") return `${t(severity ?? "SEVERITY_INFO")}: ${t(reason)}`;
  if (what === "mended") return t("event.mended", { reason: t(reason) });
  if (what === "supply") return `${hasText(`supply.${name}`) ? t(`supply.${name}`) : name}: ${t(level ?? "SUPPLY_LEVEL_UNSPECIFIED")}`;
  return t("event.other");
}

function operationWords({ operation }) {
  const { state, progress, failure } = operation;
  const parts = [`${verbOf(operation)}: ${t(state)}`];
  const prompt = promptOf(operation);
  if (prompt) parts.push(prompt);
  if (failure) parts.push(t(failure.reason));
  if (state === "OPERATION_STATE_RUNNING" && progress?.total) parts.push(`${progress.done ?? 0} / ${progress.total}`);
  if (operation.resolution) parts.push(t("event.resolved", { finding: t(operation.resolution.finding) }));
  return [toneOf(state), "operation", parts.join(" · ")];
}

/**
 * What an event means for who reads along: entries with data only, worded by the view in the page's language.
 * An entry is {type, deviceIds, minor, …}: type "device" with `changes` [{what, …}], "operation" with `operation` and
 * `before`, "media", "claim", "card", "unit"; and the page's own "gap", "hole", "connection".
 * `minor` are those that tell of small steps, such as progress.
 */

/**
 * @param {any} event as the stream tells it
 * @param {{devices: Map<string, any>, operations: Map<string, any>}} state as it was before
 */
export function entriesOf(event, state) {
  if (event.deviceChanged) return [deviceEntry(event.deviceChanged, state.devices.get(event.deviceChanged.id))];
  if (event.operationChanged) return [operationEntry(event.operationChanged, state.operations)];
  if (event.mediaChanged) {
    const { deviceId, media } = event.mediaChanged;
    return [{ type: "media", deviceIds: [deviceId], media }];
  }
  if (event.claimChanged) {
    return [{ type: "claim", deviceIds: event.claimChanged.deviceIds ?? [], claim: event.claimChanged }];
  }
  if (event.cardMoved) return [{ type: "card", deviceIds: [event.cardMoved.deviceId], moved: event.cardMoved }];
  if (event.cardUnitChanged) {
    const { deviceId, unit } = event.cardUnitChanged;
    return [{ type: "unit", deviceIds: [deviceId], unit }];
  }
  return [];
}

function operationEntry(operation, operations) {
  const before = operations.get(operation.id);
  const same = before && ["state", "prompt", "stoppedBy", "resolution"].every((name) => alike(before[name], operation[name]));
  return { type: "operation", deviceIds: [operation.deviceId], operation, before: before?.state, minor: Boolean(same) };
}

function deviceEntry(device, before) {
  const changes = before ? differences(before, device) : [{ what: "state", to: device.state }];
  const minor = changes.every(({ what }) => what === "other" || what === "busy");
  return { type: "device", deviceIds: [device.id], device, changes, minor };
}

function differences(before, after) {
  const changes = [];
  if (before.state !== after.state) {
    const busy = [before.state, after.state].includes("DEVICE_STATE_BUSY") && !after.failure;
    changes.push({ what: busy ? "busy" : "state", from: before.state, to: after.state });
  }
  if (before.adminState !== after.adminState) changes.push({ what: "admin", to: after.adminState });
  const conditions = (device) => new Map((device.status?.conditions ?? []).map((one) => [one.reason, one]));
  const [had, has] = [conditions(before), conditions(after)];
  for (const [reason, { severity }] of has) if (!had.has(reason)) changes.push({ what: "stands", reason, severity });
  for (const reason of had.keys()) if (!has.has(reason)) changes.push({ what: "mended", reason });
  const levels = new Map((before.status?.consumables ?? []).map(({ name, level }) => [name, level]));
  for (const { name, level } of after.status?.consumables ?? []) {
    if (levels.has(name) && levels.get(name) !== level) changes.push({ what: "supply", name, level });
  }
  return changes.length ? changes : [{ what: "other" }];
}

function alike(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

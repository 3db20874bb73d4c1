/** What the page's store knows, for the bench: one place that knows the store's face. */

/** Calls back for each change of an operation on a device. Answers with what ends that. */
export function onOperation({ store }, deviceId, callback) {
  return store.onOperation((operation) => {
    if (operation.deviceId === deviceId) callback(operation);
  });
}

/** Calls back for each change of any device. */
export function onDevices({ store }, callback) {
  return store.onDevices(callback);
}

/** All devices, in the configuration's order. */
export function devicesOf({ store }) {
  return store.devices();
}

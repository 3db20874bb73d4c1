/**
 * The hands on one emulated device: every verb of the bench, and what these hands have put where. Shared by whoever
 * looks at the same device over the same connection, and tells them by events when something was done.
 */

const BENCH = "countertop.bench.v1.BenchService";
const known = new WeakMap();

/** The hands on a device. @returns {Hands} */
export function handsOf({ rpc }, deviceId) {
  if (!known.has(rpc)) known.set(rpc, new Map());
  const devices = known.get(rpc);
  if (!devices.has(deviceId)) devices.set(deviceId, new Hands(rpc, deviceId));
  return devices.get(deviceId);
}

export class Hands extends EventTarget {
  #rpc;
  #writing = Promise.resolve();

  constructor(rpc, deviceId) {
    super();
    this.#rpc = rpc;
    this.deviceId = deviceId;
    /** The person whose card these hands laid on the reader; null when none, undefined when nobody knows. */
    this.laid = undefined;
    /** The person whose card would be laid next, as chosen on the page; null for the first. */
    this.chosen = null;
    /** The scene that these hands set: a SetSceneRequest; null when they set none. */
    this.scene = null;
    /** Invented people that were made on this page. */
    this.made = [];
    /** What the customer does with cards, as these hands said. */
    this.habit = "CUSTOMER_HABIT_TAKES";
  }

  async #do(verb, request = {}) {
    return this.#rpc.call(`${BENCH}/${verb}`, { deviceId: this.deviceId, ...request });
  }

  tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // Identity cards

  /** Lays a person's card on the reader; one that lies there is taken away by the emulator. */
  async insertCard(person) {
    await this.#do("InsertCard", { card: person.document });
    this.laid = person;
    this.tell("card");
  }

  async removeCard() {
    const { removed = false } = await this.#do("RemoveCard");
    this.laid = null;
    this.tell("card");
    return removed;
  }

  // Pads

  /** Writes, after what is being written already. Answers when the pen was lifted, with the ink. */
  sign(request) {
    const written = this.#writing.then(() => this.#do("Sign", request));
    this.#writing = written.catch(() => {});
    return written;
  }

  /** Presses a button when the pen is free. */
  pressPadButton(button) {
    const pressed = this.#writing.then(() => this.#do("PressPadButton", { button }));
    this.#writing = pressed.catch(() => {});
    return pressed.then(() => this.tell("pad", { button }));
  }

  // Printers

  openCover() {
    return this.#do("OpenCover");
  }

  closeCover() {
    return this.#do("CloseCover");
  }

  loadPaper(request) {
    return this.#do("LoadPaper", request);
  }

  /** What the device put into the world. @returns {Promise<{outputs: object[], total: number}>} */
  async output(request = {}) {
    const { outputs = [], total = 0 } = await this.#do("GetOutput", request);
    return { outputs, total };
  }

  // Cards

  async loadCards(request) {
    const { count = 0 } = await this.#do("LoadCards", request);
    this.tell("cards");
    return count;
  }

  async loadRibbon(request) {
    await this.#do("LoadRibbon", request);
    this.tell("cards");
  }

  async emptyBin(unit = "") {
    const { count = 0 } = await this.#do("EmptyBin", { unit });
    this.tell("cards");
    return count;
  }

  async takeCard() {
    const { taken = false } = await this.#do("TakeCard");
    this.tell("cards");
    return taken;
  }

  async pushCard(request = {}) {
    await this.#do("PushCard", request);
    this.tell("cards");
  }

  async removeJam() {
    const { removed = false } = await this.#do("RemoveJam");
    this.tell("cards");
    return removed;
  }

  async setCustomer(habit, seconds) {
    await this.#do("SetCustomer", { habit, after: `${seconds}s` });
    this.habit = habit;
    this.tell("cards");
  }

  countCards() {
    return this.#do("CountCards");
  }

  // Cameras

  async setScene(request) {
    await this.#do("SetScene", request);
    this.scene = request;
    this.tell("scene");
  }

  // Power and faults

  unplug() {
    return this.#do("Unplug");
  }

  replug() {
    return this.#do("Replug");
  }

  powerCycle() {
    return this.#do("PowerCycle");
  }

  async faults() {
    const { faults = [] } = await this.#do("ListFaults");
    return faults;
  }

  injectFault(request) {
    return this.#do("InjectFault", request);
  }

  clearFault(fault = "") {
    return this.#do("ClearFault", { fault });
  }
}

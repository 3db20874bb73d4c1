/**
 * A visit: its steps in their order, what each came to, and what is running. Knows no elements; whoever shows it
 * listens to "change". The steps themselves are in visit_steps.js.
 */
import { newId } from "../dom.js";
import { epochNow, follow, isLoss, pause } from "./following.js";
import { handsOf } from "./hands.js";
import { STEPS } from "./visit_steps.js";

const PACE = 900;
const OVER = new Set(["SUCCEEDED", "NOT_CONFIGURED", "DOUBTFUL", "SKIPPED"]);

/** Thrown where a visit ends because the person gave it up. */
class GivenUp extends Error {}

export class Visit extends EventTarget {
  #context;
  #giveUp = new AbortController();
  #hangUp = new AbortController();
  #pending = new Map();
  #operation = null;
  #at = null;

  /**
   * @param {object} context
   * @param {Record<string, object>} devices the Device for each kind of it: "ID_READER", …
   * @param {boolean} automatic the bench does what a person would do
   */
  constructor(context, devices, automatic) {
    super();
    this.#context = context;
    this.devices = devices;
    this.automatic = automatic;
    this.id = `visit-${newId().slice(0, 8)}`;
    this.steps = STEPS.map(({ name, kind }) => ({
      name, kind, state: "WAITING", operationId: "", began: 0, milliseconds: 0, notes: [], pictures: [], prompt: "",
      progress: null, error: null, uncertain: false,
    }));
    /** What later steps need of earlier ones: the document, the preview, the signature. */
    this.facts = {};
    /** "idle", "running", "failed", "done", "cancelling", "cancelled" */
    this.state = "idle";
  }

  get context() {
    return this.#context;
  }

  /** Told when the person gives the visit up. */
  get signal() {
    return this.#giveUp.signal;
  }

  /** The step that runs, or ran last. */
  get current() {
    return this.#at ?? this.steps[0];
  }

  hands(kind) {
    return handsOf(this.#context, this.devices[kind].id);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Runs what is not done yet, in order; after a failure, called again, it tries the failed step again. */
  async run() {
    this.state = "running";
    this.changed();
    try {
      for (const [index, step] of this.steps.entries()) {
        if (OVER.has(step.state)) continue;
        await this.#run(step, STEPS[index].run);
        await pause(this.automatic ? PACE : PACE / 2, this.signal);
      }
      this.state = "done";
    } catch (error) {
      this.state = error instanceof GivenUp || this.signal.aborted ? "cancelled" : "failed";
    }
    this.changed();
    return this.state;
  }

  async #run(step, action) {
    if (this.signal.aborted) throw new GivenUp();
    if (step.kind && !this.devices[step.kind]) {
      step.state = "SKIPPED";
      return;
    }
    this.#at = step;
    Object.assign(step, { state: "RUNNING", began: Date.now(), milliseconds: 0, notes: [], pictures: [], error: null, progress: null });
    this.changed();
    try {
      await action(this, step);
      if (step.state === "RUNNING") step.state = "SUCCEEDED";
    } catch (error) {
      step.state = this.signal.aborted ? "CANCELLED" : step.uncertain ? "UNCERTAIN" : "FAILED";
      step.error = this.signal.aborted ? null : error;
      throw error;
    } finally {
      step.milliseconds = Date.now() - step.began;
      step.prompt = "";
      this.#operation = null;
      this.changed();
    }
  }

  note(step, key, values = {}) {
    step.notes.push({ key, values });
    this.changed();
  }

  picture(step, name, image) {
    if (image?.data) step.pictures.push({ name, image });
    this.changed();
  }

  /** Asks the person for something, by a prompt of the bench; "" for nothing. */
  ask(step, prompt) {
    if (step.prompt === prompt) return;
    step.prompt = prompt;
    this.changed();
  }

  /**
   * Begins an operation, or goes on with the one of this step whose stream was lost, and shows each response to `look`.
   * Answers with the result that came with the end.
   */
  async operate(step, method, request, { seconds, look = () => {} }) {
    const sent = this.#pending.get(step.name) ?? {
      ...request,
      options: {
        operationId: newId(),
        timeout: `${seconds}s`,
        visitId: this.id,
        epoch: await epochNow(this.#context, this.signal),
      },
    };
    this.#pending.set(step.name, sent);
    step.operationId = sent.options.operationId;
    this.#operation = step.operationId;
    let result = null;
    try {
      for await (const response of follow(this.#context, method, sent, { signal: this.#hangUp.signal, onLost: () => this.ask(step, "LOST") })) {
        this.#heard(step, response);
        await look(response);
        result = response.result ?? result;
      }
    } catch (error) {
      if (!isLoss(error)) this.#pending.delete(step.name);
      throw error;
    }
    this.#pending.delete(step.name);
    this.#operation = null;
    return result;
  }

  #heard(step, { operation }) {
    if (!operation) return;
    step.uncertain = operation.state === "OPERATION_STATE_UNCERTAIN";
    step.progress = operation.progress ?? null;
    this.ask(step, operation.prompt?.replace("PROMPT_KIND_", "") ?? "");
    this.changed();
  }

  /** Gives the visit up: cancels what runs, or lets it go its way where it is too late, and takes the card away. */
  async cancel() {
    if (this.state === "running") this.state = "cancelling";
    this.changed();
    const operation = this.#operation;
    this.#giveUp.abort(new GivenUp("given up"));
    try {
      if (operation) {
        await this.#context.rpc.call("countertop.v1.OperationService/CancelOperation", { operationId: operation });
      }
    } catch (error) {
      if (error.reason !== "OPERATION_NOT_FOUND") this.#context.announce?.(error.message);
      this.#hangUp.abort(new GivenUp("given up"));
    }
    await this.cleanUp();
    if (this.state === "failed" || this.state === "idle") this.state = "cancelled";
    this.changed();
  }

  /** The counter as it was found: no card on the reader, a customer who takes cards. */
  async cleanUp() {
    const left = [
      this.devices.ID_READER && this.hands("ID_READER").laid ? () => this.hands("ID_READER").removeCard() : null,
      this.devices.CARD_PRINTER && this.hands("CARD_PRINTER").habit !== "CUSTOMER_HABIT_TAKES"
        ? () => this.hands("CARD_PRINTER").setCustomer("CUSTOMER_HABIT_TAKES", 1)
        : null,
      this.signal.aborted && this.current.prompt === "TAKE_CARD" ? () => this.hands("CARD_PRINTER").takeCard() : null,
    ].filter(Boolean);
    for (const done of await Promise.allSettled(left.map((hand) => hand()))) {
      if (done.status === "rejected") this.#context.announce?.(done.reason.message);
    }
  }
}

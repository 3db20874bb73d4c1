/** The steps of a visit, through the public API; what a person would do, the bench does where the visit is automatic. */
import { eventOf, pause } from "./following.js";
import { PEOPLE } from "./people.js";
import { base64Of, bytesOf } from "./pictures.js";
import { cardDesign, sampleReceipt } from "./visit_data.js";

const V1 = "countertop.v1";
const CARD_NUMBER = "9999 0000 0000 0000"; // invented: no bank's numbers begin so
const NOBODY = "样例 SPECIMEN"; // where no reader told a name
const PAYMENT = "https://pay.example/fee/20260101-000042?amount=10.00";
const READY = new Set(["DEVICE_STATE_READY", "DEVICE_STATE_ATTENTION", "DEVICE_STATE_BUSY"]);
const HANDS_SECONDS = 300;
const AUTOMATIC_SECONDS = 60;
const READY_SECONDS = 30;

/** A step that did not come to what it should, in the words of a key of the bench. */
export class StepFailed extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

function seconds(visit) {
  return visit.automatic ? AUTOMATIC_SECONDS : HANDS_SECONDS;
}

async function ready(visit) {
  const until = Date.now() + READY_SECONDS * 1000;
  for (;;) {
    const { devices = [] } = await visit.context.rpc.call(`${V1}.DeviceService/ListDevices`, {}, { signal: visit.signal });
    const wanted = new Set(Object.values(visit.devices).map(({ id }) => id));
    const missing = devices.filter(({ id, state }) => wanted.has(id) && !READY.has(state));
    if (!missing.length) return;
    if (Date.now() > until) throw new StepFailed("bench.visit.not_ready", { devices: missing.map(({ id }) => id).join(", ") });
    await pause(500, visit.signal);
  }
}

async function readCard(visit, step) {
  const hands = visit.hands("ID_READER");
  let laid = false;
  const result = await visit.operate(step, `${V1}.IdReaderService/Read`, { deviceId: hands.deviceId, photo: true }, {
    seconds: seconds(visit),
    async look({ operation }) {
      if (operation?.prompt !== "PROMPT_KIND_PRESENT_DOCUMENT" || laid || !visit.automatic) return;
      laid = true;
      await hands.insertCard(PEOPLE[0]);
      visit.note(step, "bench.visit.card_laid");
    },
  });
  const { document } = result;
  visit.facts.document = document;
  visit.facts.person = hands.laid;
  visit.note(step, "bench.visit.read", { name: document.person?.name || document.person?.latinName });
  for (const { kind, passed = false } of document.checks ?? []) {
    visit.note(step, passed ? "bench.visit.check_passed" : "bench.visit.check_failed", { check: { key: `bench.check.${kind.slice(20).toLowerCase()}` } });
  }
  visit.picture(step, "photo", document.photo?.image);
}

async function verifyPresence(visit, step) {
  const hands = visit.hands("CAMERA");
  if (visit.automatic) await hands.setScene({ scene: "SCENE_PERSON" });
  const reference = visit.facts.document?.photo?.image;
  try {
    const result = await visit.operate(
      step,
      `${V1}.CameraService/VerifyPresence`,
      { deviceId: hands.deviceId, bestFrame: true, ...(reference ? { reference } : {}) },
      {
        seconds: 30,
        look({ guidance }) {
          if (guidance?.guidance) visit.ask(step, guidance.guidance);
        },
      },
    );
    const [presence, match] = [result.verdict?.slice(17) ?? "INCONCLUSIVE", result.match?.slice(14) ?? "INCONCLUSIVE"];
    visit.note(step, "bench.visit.presence", { verdict: { key: `bench.presence.${presence}` } });
    if (reference) visit.note(step, "bench.visit.match", { verdict: { key: `bench.match.${match}` } });
    visit.picture(step, "face", result.best);
    if (presence !== "LIVE" || (reference && match !== "MATCH")) step.state = "DOUBTFUL"; // a person's to decide
  } catch (error) {
    if (error.reason !== "NOT_CONFIGURED") throw error;
    step.state = "NOT_CONFIGURED"; // as apps are told: nothing here can tell, and nobody is let pass
    visit.note(step, "bench.visit.not_configured");
  }
}

async function removeCard(visit, step) {
  const hands = visit.hands("ID_READER");
  if (visit.automatic) {
    await hands.removeCard();
  } else if (hands.laid !== null) {
    visit.ask(step, "REMOVE_DOCUMENT");
    await eventOf(hands, "card", visit.signal, () => hands.laid === null);
  }
}

async function preview(visit, step) {
  visit.facts.receipt ??= await sampleReceipt(new Date());
  const { image, paperMm } = await visit.context.rpc.call(
    `${V1}.ReceiptPrinterService/Preview`,
    { deviceId: visit.devices.RECEIPT_PRINTER.id, receipt: visit.facts.receipt },
    { signal: visit.signal },
  );
  visit.facts.preview = image;
  visit.facts.digest = base64Of(new Uint8Array(await crypto.subtle.digest("SHA-256", bytesOf(image.data))));
  visit.note(step, "bench.visit.size", { width: image.width, height: image.height, mm: Math.round(paperMm) });
  visit.picture(step, "document", image);
}

async function sign(visit, step) {
  const hands = visit.hands("SIGNATURE_PAD");
  const document = {
    title: "Receipt 回单",
    text: "Deposit 存款  CNY 1,000.00\nI have read the whole receipt. 本人已阅读回单全文。",
    sha256: visit.facts.digest,
  };
  let points = 0;
  let space = null;
  let pen = null;
  const result = await visit.operate(
    step,
    `${V1}.SignaturePadService/CaptureSignature`,
    { deviceId: hands.deviceId, document, liveInk: true, svg: true, png: true },
    {
      seconds: seconds(visit),
      look({ started, ink, cleared }) {
        if (started) {
          space = started.space;
          hands.tell("pad", { button: "" });
          if (visit.automatic) pen ??= write(visit, hands);
        }
        if (ink || cleared) hands.tell("live", { space, ink, cleared: Boolean(cleared) });
        points += ink?.points?.length ?? 0;
      },
    },
  );
  await pen;
  visit.facts.signature = result.file;
  visit.note(step, "bench.visit.ink", { points, mm: Math.round(result.quality?.lengthMm ?? 0) });
  visit.picture(step, "signature", result.png);
}

/** A pen that writes, and presses accept. A refusal shows where the capture fails for want of ink; here it is announced. */
async function write(visit, hands) {
  try {
    await hands.sign({ generated: { seed: Date.now() % 4294967296, strokes: 4 } });
    await hands.pressPadButton("PAD_BUTTON_ACCEPT");
  } catch (error) {
    visit.context.announce?.(error.message);
  }
}

async function verify(visit, step) {
  const { rpc } = visit.context;
  const service = `${V1}.SignaturePadService`;
  const { publicKey } = await rpc.call(`${service}/GetSigningKey`, {}, { signal: visit.signal });
  const request = { file: visit.facts.signature, publicKey, documentSha256: visit.facts.digest };
  const { genuine, checks = [] } = await rpc.call(`${service}/VerifySignature`, request, { signal: visit.signal });
  for (const { name, passed, detail } of checks) visit.note(step, passed ? "bench.visit.fits" : "bench.visit.fits_not", { name, detail });
  if (!genuine) throw new StepFailed("bench.visit.not_genuine");
}

async function print(visit, step) {
  const hands = visit.hands("RECEIPT_PRINTER");
  const result = await visit.operate(
    step,
    `${V1}.ReceiptPrinterService/Print`,
    { deviceId: hands.deviceId, receipt: visit.facts.receipt, interruption: "INTERRUPTION_CONTINUE" },
    { seconds: HANDS_SECONDS },
  );
  const confirmation = (result.confirmation ?? "CONFIRMATION_UNSPECIFIED").slice(13);
  visit.note(step, "bench.visit.printed", { blocks: result.blocks, bytes: result.bytes, confirmation });
  hands.tell("paper");
}

async function takePaper(visit, step) {
  const hands = visit.hands("RECEIPT_PRINTER");
  const { total } = await hands.output({ textOnly: true, skip: 4294967295 });
  const { outputs } = total ? await hands.output({ skip: total - 1 }) : { outputs: [] };
  const [receipt] = outputs;
  if (!receipt?.finished) throw new StepFailed("bench.visit.no_receipt");
  if (visit.automatic) {
    hands.tell("tear");
  } else {
    visit.ask(step, "TAKE_PAPER");
    await eventOf(hands, "torn", visit.signal);
  }
  visit.picture(step, "receipt", receipt.image);
}

async function pay(visit, step) {
  const hands = visit.hands("CAMERA");
  let shown = false;
  await hands.setScene({ scene: "SCENE_PERSON" }); // a code that an earlier visit left there is not this customer's
  const result = await visit.operate(step, `${V1}.CameraService/ScanCodes`, { deviceId: hands.deviceId }, {
    seconds: seconds(visit),
    async look({ operation }) {
      if (operation?.prompt !== "PROMPT_KIND_SHOW_CODE" || shown || !visit.automatic) return;
      shown = true;
      await hands.setScene({ scene: "SCENE_CODE", text: PAYMENT });
    },
  });
  const [code] = result.codes ?? [];
  if (visit.automatic && code?.text !== PAYMENT) throw new StepFailed("bench.visit.other_code");
  visit.note(step, "bench.visit.code", { text: code?.text ?? "" });
  const { frame } = await visit.context.rpc.call(`${V1}.CameraService/GetFrame`, { deviceId: hands.deviceId }, { signal: visit.signal });
  visit.picture(step, "phone", frame);
  await hands.setScene({ scene: "SCENE_PERSON" });
}

async function issueCard(visit, step) {
  const hands = visit.hands("CARD_PRINTER");
  const { person = {}, photo } = visit.facts.document ?? {};
  const data = {
    name: { text: person.name || person.latinName || NOBODY },
    number: { text: CARD_NUMBER },
    expiry: { text: "12/31" },
    ...(photo?.image?.data ? { photo: { picture: photo.image.data } } : {}),
  };
  await hands.setCustomer(visit.automatic ? "CUSTOMER_HABIT_TAKES" : "CUSTOMER_HABIT_LEAVES", 1);
  await visit.operate(
    step,
    `${V1}.CardPrinterService/IssueCard`,
    {
      deviceId: hands.deviceId,
      artwork: { design: await cardDesign(), data },
      stripe: { track2: `${CARD_NUMBER.replaceAll(" ", "")}=31122010000000000000` },
      takeWithin: "240s",
    },
    {
      seconds: HANDS_SECONDS * 2,
      look({ moved }) {
        if (!moved) return;
        visit.note(step, `bench.movement.${moved.movement.slice(14).toLowerCase()}`);
        hands.tell("moved", moved.place);
        hands.tell("cards");
      },
    },
  );
}

async function showCard(visit, step) {
  const hands = visit.hands("CARD_PRINTER");
  await visit.cleanUp();
  const { total } = await hands.output({ textOnly: true });
  const { outputs } = total ? await hands.output({ skip: total - 1 }) : { outputs: [] };
  const [card] = outputs;
  if (!card?.finished) throw new StepFailed("bench.visit.no_card");
  visit.picture(step, "card-front", card.image);
  visit.picture(step, "card-back", card.back);
}

/** Names, the kind of device that each works with, and what it does. */
export const STEPS = [
  { name: "ready", kind: "", run: ready },
  { name: "read-card", kind: "ID_READER", run: readCard },
  { name: "verify-presence", kind: "CAMERA", run: verifyPresence },
  { name: "remove-card", kind: "ID_READER", run: removeCard },
  { name: "preview", kind: "RECEIPT_PRINTER", run: preview },
  { name: "sign", kind: "SIGNATURE_PAD", run: sign },
  { name: "verify", kind: "SIGNATURE_PAD", run: verify },
  { name: "print", kind: "RECEIPT_PRINTER", run: print },
  { name: "take-paper", kind: "RECEIPT_PRINTER", run: takePaper },
  { name: "scan", kind: "CAMERA", run: pay },
  { name: "issue-card", kind: "CARD_PRINTER", run: issueCard },
  { name: "card-made", kind: "CARD_PRINTER", run: showCard },
];

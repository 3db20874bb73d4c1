// The kiosk's tests: no hardware, and the errors that hardware makes.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { BenchService } from "./gen/countertop/bench/v1/bench_pb.js";
import { PadButton } from "./gen/countertop/v1/signature_pad_pb.js";
import { Kiosk, Refused, transportTo } from "./kiosk.mjs";
import { startTerminal } from "./terminal.mjs";

const deviceId = "receipt-printer";
const thanks = {
  blocks: [
    { block: { case: "paragraph", value: { spans: [{ text: "谢谢" }] } } },
    { block: { case: "cut", value: {} } },
  ],
};

let terminal, transport, bench, asked, kiosk;

before(async () => {
  terminal = await startTerminal();
  transport = transportTo(terminal.address);
  bench = createClient(BenchService, transport);
});

after(() => terminal?.stop());

beforeEach(async () => {
  await bench.removeCard({ deviceId: "id-reader" });
  await bench.closeCover({ deviceId });
  asked = [];
  kiosk = new Kiosk(transport, { ask: customer });
});

/** Does what the kiosk asks for, as a customer does. */
async function customer(prompt) {
  asked.push(prompt);
  if (prompt === "PRESENT_DOCUMENT") await bench.insertCard({ deviceId: "id-reader" });
  if (prompt === "SIGN") {
    await bench.sign({ deviceId: "signature-pad", what: { case: "generated", value: {} }, speed: 0 });
    await bench.pressPadButton({ deviceId: "signature-pad", button: PadButton.ACCEPT });
  }
}

async function papers() {
  return (await bench.getOutput({ deviceId, textOnly: true })).total;
}

test("a visit reads the card, takes a signature and prints the customer's name", async () => {
  const { person, signature, printed } = await kiosk.visit();
  assert.deepEqual(asked.filter((prompt) => prompt !== "KEEP_DOCUMENT"), ["PRESENT_DOCUMENT", "SIGN"]);
  assert.ok(signature.ink.strokes.length > 0);
  assert.deepEqual([...signature.png.data.subarray(1, 4)], [..."PNG"].map((letter) => letter.charCodeAt(0)));
  assert.equal(printed.blocks, 3);
  const { outputs } = await bench.getOutput({ deviceId, limit: 1, textOnly: true });
  assert.match(outputs.at(-1).text, new RegExp(person.name));
});

test("with the cover open nothing is printed, and the customer is told why", async () => {
  const before = await papers();
  await bench.openCover({ deviceId });
  await assert.rejects(kiosk.print(thanks), (error) => {
    assert.ok(error instanceof Refused);
    assert.equal(error.reason, "COVER_OPEN");
    assert.match(error.message, /\p{Script=Han}/u);
    return true;
  });
  await bench.closeCover({ deviceId });
  await kiosk.print(thanks);
  assert.equal(await papers(), before + 1);
});

test("a print that is sent again with its id is not printed again", async () => {
  const id = randomUUID();
  const before = await papers();
  const [first, second] = [await kiosk.print(thanks, id), await kiosk.print(thanks, id)];
  assert.deepEqual(second, first);
  assert.equal(await papers(), before + 1);
});

test("when no card comes in time the kiosk says so", async () => {
  const alone = new Kiosk(transport);
  await assert.rejects(alone.readCard({ within: 200 }), { reason: "NO_DOCUMENT" });
});

test("a terminal that cannot be reached is told from one that refuses", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  const lost = new Kiosk(transportTo(`127.0.0.1:${port}`));
  await assert.rejects(lost.print(thanks), { reason: "CONNECTION_LOST" });
});

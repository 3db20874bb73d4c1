// The kiosk, on the daemon at COUNTERTOP_ADDRESS.

import { Kiosk, Refused, transportTo } from "./kiosk.mjs";

const address = process.env.COUNTERTOP_ADDRESS ?? "127.0.0.1:7411";
const words = {
  PRESENT_DOCUMENT: "Please lay your ID card on the reader.",
  PRESENT_DOCUMENT_AGAIN: "Please take the card off and lay it on again.",
  KEEP_DOCUMENT: "Please leave the card there.",
  SIGN: "Please sign on the pad.",
};
const ask = (prompt) => console.log(words[prompt] ?? prompt);
const kiosk = new Kiosk(transportTo(address), { ask, language: "en" });

try {
  const { signature, printed } = await kiosk.visit();
  console.log(`Signed with ${signature.ink.strokes.length} strokes; printed ${printed.paperMm.toFixed(0)} mm of paper.`);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(`${error.message} (${error.reason})`);
  process.exitCode = 1;
}

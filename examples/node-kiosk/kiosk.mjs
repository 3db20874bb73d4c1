// A kiosk's visit: read the ID card, take a signature, print a receipt.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { IdReaderService } from "./gen/countertop/v1/id_reader_pb.js";
import { PromptKind } from "./gen/countertop/v1/operation_pb.js";
import { ReceiptPrinterService } from "./gen/countertop/v1/receipt_printer_pb.js";
import { SignaturePadService } from "./gen/countertop/v1/signature_pad_pb.js";
import { ErrorInfoSchema, LocalizedMessageSchema } from "./gen/google/rpc/error_details_pb.js";

/** gRPC over HTTP/2 cleartext, on loopback; a token proves who calls. */
export function transportTo(address, token = tokenFor(address)) {
  const prove = (next) => (request) => {
    if (token) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  return createGrpcTransport({ baseUrl: `http://${address}`, interceptors: [prove] });
}

/** COUNTERTOP_TOKEN, as `countertop pair` issues it; else what a daemon of the same user has left in a file. */
function tokenFor(address) {
  if (process.env.COUNTERTOP_TOKEN) return process.env.COUNTERTOP_TOKEN;
  const { XDG_RUNTIME_DIR: runtime } = process.env;
  const folders = [runtime && `${runtime}/countertop`, "/run/countertop", `/tmp/countertop-${process.geteuid()}`];
  for (const folder of folders.filter(Boolean)) {
    try {
      return readFileSync(`${folder}/tokens/${address}`, "ascii").trim();
    } catch {
      // there is none of this user's
    }
  }
  return "";
}

/** What a call failed for: `reason` for the program (docs/errors.md), `message` for the customer. */
export class Refused extends Error {
  constructor(error, reason, message) {
    super(message, { cause: error });
    this.reason = reason;
  }
}

export class Kiosk {
  #idReader;
  #pad;
  #printer;
  #ask;
  #language;

  /**
   * @param transport as of `transportTo`
   * @param ask called with "PRESENT_DOCUMENT", "SIGN", … whenever a person must do something; may be asynchronous
   * @param language of the messages of errors: "en" or "zh-CN"
   */
  constructor(transport, { ask = () => {}, language = "zh-CN" } = {}) {
    this.#idReader = createClient(IdReaderService, transport);
    this.#pad = createClient(SignaturePadService, transport);
    this.#printer = createClient(ReceiptPrinterService, transport);
    this.#ask = ask;
    this.#language = language;
  }

  /** The document on the reader. Rejects with Refused: NO_DOCUMENT when none comes in time. */
  async readCard({ within = 30_000 } = {}) {
    const options = { timeout: durationFromMs(within) };
    const { document } = await this.#follow(this.#idReader.read({ options, deviceId: "id-reader" }));
    return document;
  }

  /** The signature under a text: `png` to show, `file` to keep. Rejects with Refused: SIGNATURE_DECLINED, … */
  sign(text) {
    const document = { title: "开户申请", content: { case: "text", value: text } };
    return this.#follow(this.#pad.captureSignature({ deviceId: "signature-pad", document, png: true }));
  }

  /**
   * Print. The operation's id is the caller's: after a broken connection call it again with the same id, and it attaches
   * to the same print. Nothing is printed twice.
   */
  print(receipt, operationId = randomUUID()) {
    return this.#follow(this.#printer.print({ options: { operationId }, deviceId: "receipt-printer", receipt }));
  }

  /** The whole visit. */
  async visit() {
    const { person } = await this.readCard();
    const signature = await this.sign(`${person.name}：本人同意开立账户。`);
    const printed = await this.print(receiptFor(person));
    return { person, signature, printed };
  }

  /** Follow an operation to its result, and pass on what it asks of people. */
  async #follow(responses) {
    let asked = PromptKind.UNSPECIFIED;
    let result;
    try {
      for await (const { operation, payload } of responses) {
        if (operation.prompt !== asked) {
          asked = operation.prompt;
          if (asked !== PromptKind.UNSPECIFIED) await this.#ask(PromptKind[asked]);
        }
        if (payload.case === "result") result = payload.value;
      }
    } catch (error) {
      throw this.#refusal(error);
    }
    return result;
  }

  #refusal(error) {
    if (!(error instanceof ConnectError)) return error;
    const [info] = error.findDetails(ErrorInfoSchema);
    if (info === undefined) {
      const lost = error.code === Code.Unavailable ? "CONNECTION_LOST" : Code[error.code];
      return new Refused(error, lost, error.rawMessage);
    }
    const said = error.findDetails(LocalizedMessageSchema).find(({ locale }) => locale === this.#language);
    return new Refused(error, info.reason, said?.message ?? error.rawMessage);
  }
}

function receiptFor(person) {
  const line = (text, style = {}) => ({ block: { case: "paragraph", value: { spans: [{ text, ...style }] } } });
  return {
    blocks: [
      line("开户回单", { bold: true, width: 2, height: 2 }),
      line(`客户：${person.name}`),
      { block: { case: "cut", value: {} } },
    ],
  };
}

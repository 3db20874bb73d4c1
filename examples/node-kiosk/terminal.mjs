// An emulated terminal for tests: `countertop serve` as a child process, on a free port, with a journal of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Resolves when it listens: `address` is "127.0.0.1:PORT"; `stop()` ends it and removes what it left. */
export async function startTerminal() {
  const state = await mkdtemp(join(tmpdir(), "countertop-"));
  const command = process.env.COUNTERTOP ?? "countertop";
  const words = ["serve", "--listen", "127.0.0.1:0", "--state", state, "--json-logs"];
  const daemon = spawn(command, words, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(daemon, "exit");
  const stop = async () => {
    daemon.kill("SIGTERM");
    await ended;
    await rm(state, { recursive: true });
  };
  try {
    return { address: await listening(daemon), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where the daemon says that it listens; it goes on reading, so that the daemon is never held up by its log. */
function listening(daemon) {
  return new Promise((resolve, reject) => {
    const said = [];
    daemon.once("error", reject);
    const lines = createInterface({ input: daemon.stderr });
    lines.on("line", (line) => {
      const address = line.match(/"event": "listening on ([^",]+)/)?.[1];
      if (address) resolve(address);
      else if (said.length < 100) said.push(line);
    });
    lines.once("close", () => reject(new Error(`The daemon ended before it listened:\n${said.join("\n")}`)));
  });
}

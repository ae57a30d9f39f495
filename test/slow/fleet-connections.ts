/**
 * Holds connections to a node by the miner's source code: `fleet-connections.ts PORT COUNT DIRECTORY`, with token and pin in
 * the directory. Prints one JSON object a line for each event and ends with its standard input.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { systemClock } from "../../src/clock.ts"
import { PIN_FILE, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { createTransport } from "../../src/sources/quic/node-quic.ts"
import { createQuicSource } from "../../src/sources/quic/quic-source.ts"
import { resolveHost } from "../../src/sources/quic/resolve.ts"
import type { Transport } from "../../src/sources/quic/transport.ts"
import { collectLog } from "../support/collect-log.ts"

/** What happened to connection `id`. */
export interface FleetEvent {
  readonly id: number
  readonly type: "connected" | "disconnected" | "refused" | "job" | "failed"
  readonly reason?: string
}

const [port = "", count = "", directory = ""] = process.argv.slice(2)

const emit = (event: FleetEvent) => process.stdout.write(`${JSON.stringify(event)}\n`)
const credential = (file: string) => ({
  description: file,
  isRenewable: false,
  read: () => readFileSync(join(directory, file), "utf8").trim(),
})

/** Reports every refused handshake; a source reports the first of several. */
function watchRefusals(transport: Transport, id: number): Transport {
  return {
    connect: (address, events) =>
      transport.connect(address, {
        ...events,
        closed(end) {
          if (end.reason === "refused") emit({ id, type: "refused" })
          events.closed(end)
        },
      }),
    sendRefusal: address => transport.sendRefusal(address),
    close: () => transport.close(),
  }
}

const sources = Array.from({ length: Number(count) }, (_, id) => {
  const source = createQuicSource({
    name: `quic://127.0.0.1:${port}`,
    host: "127.0.0.1",
    port: Number(port),
    token: credential(TOKEN_FILE),
    pin: credential(PIN_FILE),
    keepMining: false,
    transport: watchRefusals(createTransport(), id),
    resolve: resolveHost,
    clock: systemClock,
    log: collectLog(),
  })
  source.start({
    connected: () => emit({ id, type: "connected" }),
    disconnected: (reason, message) => emit({ id, type: "disconnected", reason: `${reason}: ${message}` }),
    job: () => emit({ id, type: "job" }),
    noJob() {},
    failed: error => emit({ id, type: "failed", reason: error.message }),
  })
  return source
})

for await (const _ of process.stdin) {
  // Ends with its standard input.
}
await Promise.all(sources.map(source => source.close()))
process.exit(0)

/** The configured sources against the development node and pool: what outlives a source that is created again. */
import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock as clock } from "../../src/clock.ts"
import { openSource, openSources } from "../../src/commands/sources.ts"
import type { QuicSourceConfig, StratumSourceConfig } from "../../src/config/sources.ts"
import { startNode } from "../../src/devnode/node.ts"
import { startPool } from "../../src/devnode/pool.ts"
import { fingerprint } from "../../src/sources/pin.ts"
import type { Job, JobSource, SourceEvents } from "../../src/sources/source.ts"
import { sealOf } from "../sources/recorder.ts"
import { collectLog } from "../support/collect-log.ts"
import { freeTcpPort } from "../support/free-port.ts"
import { createPem } from "../support/pem.ts"

const scratch: string[] = []
afterEach(() => {
  for (const dir of scratch.splice(0)) rmSync(dir, { recursive: true })
})

const base = { address: "127.0.0.1", difficulty: 1n, intervalMs: 0, clock, onEvent() {} }
const value = (text: string) => ({ description: "--tls-cert-sha256", read: () => text })
const PASSWORD = { description: "the default password", read: () => "x" }

/** A peer that can be closed and started again with another certificate. */
interface Pinned {
  readonly config: QuicSourceConfig | StratumSourceConfig
  close(): Promise<void>
  /** Starts it again on its port. */
  rotate(): Promise<void>
}

async function pinnedNode(): Promise<Pinned> {
  const start = (port: number) => {
    const dir = mkdtempSync(join(tmpdir(), "quantus-miner-sources-"))
    scratch.push(dir)
    return startNode({ ...base, intervalMs: 3_600_000, port, dir })
  }
  let node = await start(0)
  const { port, identity } = node
  return {
    config: {
      ...{ protocol: "quic", host: "127.0.0.1", port, name: `quic://127.0.0.1:${port}`, keepMining: false },
      ...{ token: value(identity.token), pin: value(identity.pin) },
    },
    close: () => node.close(),
    async rotate() {
      await node.close()
      node = await start(port)
    },
  }
}

async function pinnedPool(): Promise<Pinned> {
  const start = async (port: number) => {
    const { cert: certificate, key } = await createPem()
    const der = Uint8Array.fromBase64(certificate.replace(/-----[A-Z ]+-----|\s/g, ""))
    return { pool: await startPool({ ...base, port, tls: { certificate, key } }), pin: fingerprint(der) }
  }
  let { pool, pin } = await start(0)
  const { port } = pool
  return {
    config: { ...stratum(port, "stratum+tls"), pin: value(pin) },
    close: () => pool.close(),
    async rotate() {
      await pool.close()
      pool = (await start(port)).pool
    },
  }
}

const stratum = (port: number, protocol: StratumSourceConfig["protocol"]): StratumSourceConfig => ({
  ...{ protocol, host: "127.0.0.1", port, name: `${protocol}://127.0.0.1:${port}` },
  ...{ login: "qzTest.rig", password: PASSWORD, pin: undefined, proxy: undefined },
})

/** Starts the source. @returns waiting for its next job, and for the end of a connection with this message */
function watch(source: JobSource) {
  const jobs: Job[] = []
  const ends: { message: string; retryIn: number }[] = []
  let wake = () => {}
  const add = <T>(list: T[], item: T) => {
    list.push(item)
    wake()
  }
  const events: SourceEvents = {
    connected() {},
    disconnected: (_reason, message, retryIn) => add(ends, { message, retryIn }),
    job: job => add(jobs, job),
    noJob() {},
    failed: ({ message }) => add(ends, { message, retryIn: Number.NaN }),
  }
  const first = async <T>(list: T[], fits: (item: T) => boolean): Promise<T> => {
    for (let found = list.find(fits); ; found = list.find(fits)) {
      if (found !== undefined) return found
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  source.start(events)
  return {
    jobOf: (name: string) => first(jobs, job => job.source === name),
    ended: (message: RegExp) => first(ends, end => message.test(end.message)),
  }
}

/** A failed source has no next attempt, a retired one an infinite wait. */
function expectAnotherAttempt({ message, retryIn }: { message: string; retryIn: number }): void {
  expect(message).toContain("it was valid before")
  expect(retryIn).toBeWithin(7000, 10_001)
}

describe.each([
  ["node", pinnedNode],
  ["pool", pinnedPool],
] as const)("A %s whose certificate changes after an accepted seal, with a pin given as a value", (_what, open) => {
  test("is tried again by a source that is created again", async () => {
    const pinned = await open()
    const { name } = pinned.config
    const make = await openSource(pinned.config, { clock, log: collectLog() })
    const first = make()
    await first.submit(sealOf(await watch(first).jobOf(name)))
    await first.close()
    await pinned.rotate()
    const again = make()
    expectAnotherAttempt(await watch(again).ended(/other than the one pinned/))
    await again.close()
    await pinned.close()
  }, 60_000)

  test("is tried again by a failover that had retired it", async () => {
    const pinned = await open()
    const { name } = pinned.config
    const preferred = stratum(freeTcpPort(), "stratum+tcp")
    const context = { clock, log: collectLog(), stats: { source() {} } }
    const source = await openSources([preferred, pinned.config], context, 0.1)
    const seen = watch(source)
    await source.submit(sealOf(await seen.jobOf(name)))
    const pool = await startPool({ ...base, port: preferred.port })
    await seen.jobOf(preferred.name)
    await seen.ended(/another source has a job/)
    await pinned.rotate()
    await pool.close()
    expectAnotherAttempt(await seen.ended(/other than the one pinned/))
    await source.close()
    await pinned.close()
  }, 60_000)
})

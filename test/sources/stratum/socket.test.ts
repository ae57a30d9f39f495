import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { createCertificate } from "../../../src/devnode/certificate.ts"
import { type DevPool, type PoolEvent, startPool } from "../../../src/devnode/pool.ts"
import { ExitCode } from "../../../src/errors.ts"
import type { JobSource } from "../../../src/sources/source.ts"
import { connectTo, type StratumAddress } from "../../../src/sources/stratum/socket.ts"
import { createStratumSource } from "../../../src/sources/stratum/stratum-source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { Recorder, sealOf } from "../recorder.ts"

/** Real sockets on loopback, against the development pool. */
const pools: DevPool[] = []
let logins = 0
let plain: DevPool
let secure: DevPool
let certificate: string
let pin: string
let source: JobSource | undefined

const pem = (label: string, der: Uint8Array) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`

async function open(identity?: { certificate: string; key: string }): Promise<DevPool> {
  const tls = identity && { tls: identity }
  const onEvent = ({ type }: PoolEvent) => {
    if (type === "connected") logins++
  }
  const options = { address: "127.0.0.1", port: 0, difficulty: 1n, intervalMs: 0, clock: new FakeClock(), onEvent }
  const pool = await startPool({ ...options, ...tls })
  pools.push(pool)
  return pool
}

beforeAll(async () => {
  const made = await createCertificate(new Date())
  certificate = pem("CERTIFICATE", made.certificate)
  pin = createHash("sha256").update(made.certificate).digest("hex")
  plain = await open()
  secure = await open({ certificate, key: pem("PRIVATE KEY", made.key) })
})
afterEach(() => source?.close())
afterAll(async () => {
  for (const pool of pools) await pool.close()
})

function start(address: Partial<StratumAddress>, roots?: readonly string[]): Recorder {
  const full = { tls: true, host: "localhost", port: secure.port, ...address }
  source = createStratumSource({
    name: `stratum+${full.tls ? "tls" : "tcp"}://${full.host}:${full.port}`,
    connect: connectTo(full, roots),
    credentials: () => ({ login: "qzTest.rig", password: "x", agent: "quantus-miner/test" }),
    clock: new FakeClock(),
    log: collectLog(),
  })
  const events = new Recorder()
  source.start(events)
  return events
}

const pinned = (value: string) => ({ description: "the pin of the test", read: () => value })

async function expectShareAccepted(events: Recorder): Promise<void> {
  const job = await events.nextJob()
  expect(await source!.submit(sealOf(job))).toEqual({ result: "accepted" })
  expect(await source!.submit(sealOf(job))).toEqual({ result: "rejected", reason: "Duplicate share" })
}

describe("over TCP", () => {
  test("a share is accepted", async () => {
    await expectShareAccepted(start({ tls: false, port: plain.port }))
  })

  test("nobody there is a refusal", async () => {
    const pool = await open()
    await pool.close()
    const { reason, message } = await start({ tls: false, port: pool.port }).next("disconnected")
    expect(reason).toBe("refused")
    expect(message).toContain(`127.0.0.1:${pool.port}`)
  })
})

describe("over TLS", () => {
  test("a certificate of a trusted root and the right name will do", async () => {
    await expectShareAccepted(start({}, [certificate]))
  })

  test("one of an unknown root will not", async () => {
    const { reason, message } = await start({}).next("disconnected")
    expect(reason).toBe("handshake")
    expect(message).toContain("--tls-cert-sha256")
  })

  test("one for another name will not", async () => {
    const { reason, message } = await start({ host: "127.0.0.1" }, [certificate]).next("disconnected")
    expect(reason).toBe("handshake")
    expect(message).toContain("127.0.0.1")
  })

  test("the pinned one will do, whoever signed it", async () => {
    await expectShareAccepted(start({ host: "127.0.0.1", pin: pinned(pin) }))
  })

  test("another than the pinned one is the end, before the login is sent", async () => {
    const before = logins
    const { error } = await start({ pin: pinned("0".repeat(64)) }, [certificate]).next("failed")
    expect(error.exitCode).toBe(ExitCode.rejected)
    expect(error.message).toContain("the pin of the test")
    expect(logins).toBe(before)
  })

  test("a pool that speaks no TLS is a failed handshake", async () => {
    const { reason } = await start({ port: plain.port }).next("disconnected")
    expect(["handshake", "closed"]).toContain(reason)
  })
})

import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { mkdtemp, readFile, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock } from "../../src/clock.ts"
import { describeEvent, describeTotals } from "../../src/devnode/describe.ts"
import { loadOrCreateIdentity } from "../../src/devnode/identity.ts"
import { type DevNode, type NodeEvent, type ResultEvent, startNode } from "../../src/devnode/node.ts"
import type { OperatorError } from "../../src/errors.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { integerToBytes } from "../../src/pow/u512.ts"
import { createTransport } from "../../src/sources/quic/node-quic.ts"
import { createQuicSource, type QuicSourceOptions } from "../../src/sources/quic/quic-source.ts"
import { resolveHost } from "../../src/sources/quic/resolve.ts"
import type { Job, JobSource, Seal } from "../../src/sources/source.ts"
import { collectLog } from "../support/collect-log.ts"

let dir: string
let node: DevNode
const queue = eventQueue<NodeEvent>()

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantus-miner-node-"))
  const { push: onEvent } = queue
  const options = { address: "127.0.0.1", port: 0, difficulty: 1n, intervalMs: 3_600_000, clock: systemClock }
  node = await startNode({ ...options, dir: join(dir, "node"), onEvent })
})

afterAll(async () => {
  await node.close()
  await rm(dir, { recursive: true })
})

/** What is pushed comes out in order, one for each `next`. */
function eventQueue<T>() {
  const [events, waiting]: [T[], ((event: T) => void)[]] = [[], []]
  return {
    push(event: T) {
      const next = waiting.shift()
      if (next) next(event)
      else events.push(event)
    },
    next: () => new Promise<T>(resolve => (events.length > 0 ? resolve(events.shift()!) : waiting.push(resolve))),
  }
}

async function nextResult(): Promise<ResultEvent> {
  for (;;) {
    const event = await queue.next()
    if (event.type === "result") return event
  }
}

/** A source at the node, whose events come as lines. */
function connect(fields: Partial<QuicSourceOptions> = {}) {
  const jobs = eventQueue<Job>()
  const said = eventQueue<string>()
  const source = createQuicSource({
    name: "quic://node",
    host: "127.0.0.1",
    port: node.port,
    token: { description: "the token", read: () => node.identity.token },
    pin: { description: "the pin", read: () => node.identity.pin },
    keepMining: false,
    transport: createTransport(),
    resolve: resolveHost,
    clock: systemClock,
    log: collectLog(),
    ...fields,
  })
  source.start({
    connected: () => said.push("connected"),
    disconnected: (reason, message) => said.push(`${reason}: ${message}`),
    job: jobs.push,
    noJob: () => said.push("no job"),
    failed: error => said.push(`failed with ${error.exitCode}: ${error.message}`),
  })
  return { source, jobs, said }
}

/** At difficulty 1 nearly every nonce is a seal. */
function sealOf(job: Job, nonce: bigint, fields: Partial<Seal> = {}): Seal {
  const bytes = integerToBytes(nonce)
  return { job, nonce: bytes, hash: nonceHash(job.header, bytes), hashes: 1n, seconds: 0.001, unit: "test", ...fields }
}

async function ended(source: JobSource): Promise<number> {
  const start = performance.now()
  await source.close()
  return performance.now() - start
}

describe("identity", () => {
  test("uses the files of a real node; only the owner can read the secrets", async () => {
    const read = (file: string) => readFile(join(dir, "node", file))
    const [token, pin] = [(await read("miner-auth-token")).toString(), (await read("miner-tls-cert-sha256")).toString()]
    expect([token, pin]).toEqual([`${node.identity.token}\n`, `${node.identity.pin}\n`])
    const certificate = new X509Certificate(await read("miner-tls-cert.der"))
    expect(certificate.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(node.identity.pin)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.checkHost("localhost")).toBe("localhost")
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1")
    for (const file of ["miner-auth-token", "miner-tls-key.der"]) {
      expect((await stat(join(dir, "node", file))).mode & 0o777).toBe(0o600)
    }
  })

  test("persists over a restart, and is created in another directory", async () => {
    const again = await loadOrCreateIdentity(join(dir, "node"))
    expect([again.token, again.pin]).toEqual([node.identity.token, node.identity.pin])
    expect((await loadOrCreateIdentity(join(dir, "other"))).pin).not.toBe(again.pin)
  })
})

describe("over real QUIC", () => {
  test("a valid seal is followed by the next job", async () => {
    const { source, jobs, said } = connect()
    const job = await jobs.next()
    expect(await said.next()).toBe("connected")
    expect(await source.submit(sealOf(job, 7n))).toEqual({ result: "sent" })
    const { verdict, result, luck } = await nextResult()
    expect({ verdict, nonce: result.nonce, hashes: result.hash_count, luck }).toEqual({
      verdict: "valid",
      nonce: "7",
      hashes: 1n,
      luck: 1,
    })
    expect((await jobs.next()).id).not.toBe(job.id)
    expect(await ended(source)).toBeLessThan(1000)
  })

  test("a nonce that is no seal is invalid", async () => {
    const { source, jobs } = connect()
    const job = await jobs.next()
    const other = { ...job, header: new Uint8Array(32) }
    expect(await source.submit(sealOf(other, 1n))).toEqual({ result: "stale" })
    expect(await source.submit(sealOf(job, 2n, { nonce: new Uint8Array(63) }))).toEqual({ result: "sent" })
    expect((await nextResult()).verdict).toBe("invalid")
    await source.close()
  })

  test("a seal written just before the close arrives", async () => {
    const { source, jobs } = connect()
    const job = await jobs.next()
    void source.submit(sealOf(job, 9n))
    await source.close()
    expect((await nextResult()).verdict).toBe("valid")
  })

  test("a wrong pin ends the connection before the token is sent", async () => {
    const { source, said } = connect({ pin: { description: "the pin in FILE", read: () => "0".repeat(64) } })
    expect(await said.next()).toStartWith("failed with 77: quic://node presents a certificate other than")
    await source.close()
  })

  test("a wrong token is recognised by the third close", async () => {
    // Only the waits after a refusal are shortened.
    const after = (ms: number, call: () => void) => systemClock.after(ms >= 3750 ? ms / 20 : ms, call)
    const clock = { ...systemClock, after }
    const { source, said } = connect({ token: { description: "the token in FILE", read: () => "wrong" }, clock })
    expect(await said.next()).toStartWith("rejected: the node closed the connection right after the token (1 of 3)")
    expect(await said.next()).toContain("(2 of 3)")
    expect(await said.next()).toStartWith("failed with 77: quic://node rejects the token in FILE")
    await source.close()
  })

  test("an address in use is an operator's error", async () => {
    const options = { address: "127.0.0.1", port: node.port, difficulty: 1n, intervalMs: 1000, clock: systemClock }
    const error = await startNode({ ...options, dir: join(dir, "node"), onEvent() {} }).catch((e: OperatorError) => e)
    expect((error as OperatorError).message).toContain(`cannot listen on 127.0.0.1 port ${node.port}`)
  })
})

test("events have log lines", () => {
  const result = {
    type: "result",
    miner: 1,
    verdict: "valid",
    age: 1235,
    luck: 2,
    result: { status: "completed", job_id: "job-7", nonce: "1", work: "", hash_count: 50n, elapsed_time: 1.2345 },
  } as const
  expect(describeEvent(result)).toBe("job-7 sealed by miner 1 after 1.235 s: 50 hashes in 1.234 s, luck 2.00")
  expect(describeEvent({ ...result, verdict: "stale" })).toStartWith("stale result for job-7 by miner 1")
  expect(describeEvent({ type: "job", id: "job-8", difficulty: 9n, miners: 0 })).toBeUndefined()
  expect(describeEvent({ type: "job", id: "job-8", difficulty: 9n, miners: 1 })).toBe("job-8 sent, difficulty 9")
  const totals = { jobs: 3, valid: 2, invalid: 0, stale: 1, failed: 0, hashes: 100n }
  expect(describeTotals(totals, 100n)).toBe(
    "3 jobs, 2 valid seals, 0 invalid, 1 stale, 0 failed, 100 hashes, luck 2.00",
  )
  expect(describeTotals({ ...totals, hashes: 0n }, 1n)).toContain("luck")
})

import { describe, expect, test } from "bun:test"
import { ExitCode, OperatorError } from "../../../src/errors.ts"
import { U512_MAX } from "../../../src/pow/u512.ts"
import { newAcceptance } from "../../../src/sources/acceptance.ts"
import { fingerprint } from "../../../src/sources/pin.ts"
import { createQuicSource, type QuicSourceOptions } from "../../../src/sources/quic/quic-source.ts"
import type { Job, Seal, SourceEvents, Verdict } from "../../../src/sources/source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock, settle } from "../../support/fake-clock.ts"
import { CERTIFICATE, FakeTransport } from "./fake-transport.ts"

const HASH = "11".repeat(32)
const TOKEN = "5ecre7-70ken"

const newJob = (id: string, fields: object = {}) =>
  JSON.stringify({ NewJob: { job_id: id, mining_hash: HASH, difficulty: "100", ...fields } })

/** A source, the transport it was given, and all that it said. */
function setUp(options: Partial<QuicSourceOptions> = {}) {
  const [clock, transport, log] = [new FakeClock(), new FakeTransport(), collectLog()]
  const said: string[] = []
  const messages: string[] = []
  const jobs: Job[] = []
  const failures: OperatorError[] = []
  const credentials = { token: TOKEN, pin: fingerprint(CERTIFICATE) }
  const source = createQuicSource({
    name: "quic://node:9833",
    host: "10.0.0.1",
    port: 9833,
    token: { description: "the token in /node/miner-auth-token", read: () => credentials.token },
    pin: { description: "the certificate's SHA-256 in /node/miner-tls-cert-sha256", read: () => credentials.pin },
    keepMining: false,
    transport,
    resolve: async host => [host],
    clock,
    log,
    random: () => 0,
    ...options,
  })
  const events: SourceEvents = {
    connected: () => said.push("connected"),
    disconnected(reason, message, retryIn) {
      said.push(`${reason}, again in ${retryIn}`)
      messages.push(message)
    },
    job(job) {
      jobs.push(job)
      said.push(`job ${job.id}`)
    },
    noJob: () => said.push("no job"),
    failed(error) {
      failures.push(error)
      said.push(`failed with ${error.exitCode}`)
    },
  }
  source.start(events)
  const take = () => said.splice(0)
  /** Answers the newest attempt. */
  const open = async () => {
    await clock.advance(0)
    transport.last.open()
    return transport.last
  }
  return { source, clock, transport, log, said, messages, take, jobs, failures, credentials, open }
}

type Bench = ReturnType<typeof setUp>

let nonces = 0

function sealOf(job: Job, fields: Partial<Seal> = {}): Seal {
  const nonce = new Uint8Array(64)
  new DataView(nonce.buffer).setUint32(60, ++nonces)
  return { job, nonce, hash: new Uint8Array(64), hashes: 12n, seconds: 0.5, unit: "wasm/0", ...fields }
}

const results = (sent: readonly string[]) => sent.map(json => JSON.parse(json).JobResult).filter(Boolean)

/** What a promise has come to by now. */
async function now(promise: Promise<Verdict>): Promise<string> {
  let state = "pending"
  promise.then(({ result }) => {
    state = result
  })
  await settle()
  return state
}

describe("connecting", () => {
  test("sends the token only after the certificate matches the pin", async () => {
    const { clock, transport, take } = setUp()
    await clock.advance(0)
    expect(transport.last.address).toEqual({ ip: "10.0.0.1", port: 9833 })
    expect(transport.last.sent).toEqual([])
    transport.last.open()
    expect(transport.last.sent).toEqual([`{"Ready":{"token":"${TOKEN}"}}`])
    expect(take()).toEqual([])
  })

  test("fails immediately on a different certificate, without sending the token", async () => {
    const { clock, transport, failures, take, credentials } = setUp()
    await clock.advance(0)
    transport.last.open(new TextEncoder().encode("another certificate"))
    expect(transport.last.sent).toEqual([])
    expect(take()).toEqual(["failed with 77"])
    expect(failures[0]!.message).toContain("/node/miner-tls-cert-sha256")
    expect(failures[0]!.message).not.toContain(credentials.pin)
    await clock.advance(60_000)
    expect([transport.sessions.length, transport.open, transport.closed]).toEqual([1, 0, true])
  })

  test("counts as connected after 2 s, with or without a job", async () => {
    const { clock, open, take } = setUp()
    const session = await open()
    await clock.advance(1999)
    expect(take()).toEqual([])
    session.heard()
    await clock.advance(1)
    expect(take()).toEqual(["connected"])
    session.receive(newJob("1"))
    expect(take()).toEqual(["job 1"])
  })

  test("counts as connected with the first job", async () => {
    const { open, take, jobs } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    expect(take()).toEqual(["connected", "job 1"])
    expect(jobs[0]).toEqual({
      id: "1",
      source: "quic://node:9833",
      header: Uint8Array.fromHex(HASH),
      difficulty: 100n,
      prefix: new Uint8Array(),
      afterSeal: "wait",
      receivedAt: 0,
    })
  })

  test("treats three consecutive closes right after the token as its rejection", async () => {
    const { clock, transport, take, failures } = setUp()
    for (const wait of [0, 1000, 2000]) {
      await clock.advance(wait)
      transport.last.open()
      await clock.advance(20)
      transport.last.end()
    }
    expect(take()).toEqual(["rejected, again in 1000", "rejected, again in 2000", "failed with 77"])
    expect(failures[0]!.message).toContain("/node/miner-auth-token")
    expect(failures[0]!.message).not.toContain(TOKEN)
  })

  test("waits for a rejected token in a file to be renewed, at growing intervals", async () => {
    let value = "old"
    const token = { description: "the token in /node/miner-auth-token", isRenewable: true, read: () => value }
    const { clock, transport, said, take, failures } = setUp({ token })
    for (const wait of [0, 1000, 2000]) {
      await clock.advance(wait)
      transport.last.open()
      await clock.advance(20)
      transport.last.end()
    }
    expect(said.at(-1)).toBe("rejected, again in 10000")
    const waits: number[] = []
    for (let wait = 10_000, i = 0; i < 7; i++) {
      await clock.advance(wait)
      transport.last.open()
      await clock.advance(20)
      transport.last.end()
      wait = Number(/^rejected, again in (\d+)$/.exec(said.at(-1)!)?.[1])
      waits.push(wait)
    }
    expect(waits).toEqual([20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000])
    expect(failures).toEqual([])
    value = "new"
    const sessions = transport.sessions.length
    while (transport.sessions.length === sessions) await clock.advance(1000)
    transport.last.open()
    expect(transport.last.sent).toEqual(['{"Ready":{"token":"new"}}'])
    transport.last.receive(newJob("1"))
    expect(take().slice(-2)).toEqual(["connected", "job 1"])
  })

  test("waits for a pin that was valid before, at growing intervals", async () => {
    const { source, clock, transport, open, jobs, take } = setUp()
    const other = new TextEncoder().encode("a renewed certificate")
    const first = await open()
    first.receive(newJob("1"))
    await source.submit(sealOf(jobs[0]!))
    first.end()
    await clock.advance(100)
    const waits: number[] = []
    for (let i = 0; i < 7; i++) {
      take()
      transport.last.open(other)
      waits.push(Number(/^rejected, again in (\d+)$/.exec(take().join("; "))?.[1]))
      await clock.advance(waits.at(-1)!)
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
    transport.last.open()
    transport.last.receive(newJob("2"))
    expect(take()).toEqual(["connected", "job 2"])
  })

  test("fails on a pin given as a value after a job without a seal", async () => {
    const { clock, transport, open, take } = setUp()
    const first = await open()
    first.receive(newJob("1"))
    first.end()
    await clock.advance(1000)
    take()
    transport.last.open(new TextEncoder().encode("a renewed certificate"))
    expect(take()).toEqual(["failed with 77"])
  })

  test("a source that is created again knows what the one before it was sent", async () => {
    const acceptance = newAcceptance()
    const first = setUp({ acceptance })
    const session = await first.open()
    session.receive(newJob("1"))
    await first.source.submit(sealOf(first.jobs[0]!))
    await first.source.close()

    const pinned = setUp({ acceptance })
    await pinned.clock.advance(0)
    pinned.transport.last.open(new TextEncoder().encode("a renewed certificate"))
    expect(pinned.take()).toEqual(["rejected, again in 10000"])

    const { clock, transport, said } = setUp({ acceptance })
    for (const wait of [0, 1000, 2000, 4000]) {
      await clock.advance(wait)
      transport.last.open()
      await clock.advance(20)
      transport.last.end()
    }
    expect(said).toEqual([1000, 2000, 4000, 8000].map(wait => `rejected, again in ${wait}`))
  })

  test("waits for a pin in a file to be renewed", async () => {
    const { credentials } = setUp()
    let value = "00".repeat(32)
    const pin = { description: "the pin in /node/miner-tls-cert-sha256", isRenewable: true, read: () => value }
    const { clock, transport, open, take, failures } = setUp({ pin })
    const first = await open()
    expect([first.sent, first.state]).toEqual([[], "closed"])
    expect(take()).toEqual(["rejected, again in 10000"])
    value = credentials.pin
    await clock.advance(10_000)
    transport.last.open()
    expect(transport.last.sent).toHaveLength(1)
    expect(failures).toEqual([])
  })

  test("does not treat closes as a rejection if a job was received in between", async () => {
    const { clock, transport, take, failures } = setUp()
    await clock.advance(0)
    for (let i = 0; i < 12; i++) {
      transport.last.open()
      if (i % 3 === 2) transport.last.receive(newJob(`${i}`))
      transport.last.end()
      const before = transport.sessions.length
      while (transport.sessions.length === before) await clock.advance(100)
    }
    expect(failures).toEqual([])
    expect(take().filter(line => line.startsWith("rejected"))).toHaveLength(8)
  })

  test("reads credentials again for every connection", async () => {
    const { clock, transport, open, credentials, take } = setUp()
    const first = await open()
    first.receive(newJob("1"))
    const renewed = new TextEncoder().encode("a renewed certificate")
    Object.assign(credentials, { token: "renewed", pin: fingerprint(renewed) })
    first.end()
    await clock.advance(1000)
    transport.last.open(renewed)
    expect(transport.last.sent).toEqual(['{"Ready":{"token":"renewed"}}'])
    expect(take().filter(line => line.startsWith("failed"))).toEqual([])
  })

  test("waits for a credential that is temporarily unreadable", async () => {
    let readable = false
    const read = () => {
      if (!readable) throw new OperatorError("/node/miner-auth-token is empty", ExitCode.config)
      return TOKEN
    }
    const { clock, transport, open, take } = setUp({ token: { description: "the token", read } })
    const first = await open()
    expect([first.sent, first.state]).toEqual([[], "closed"])
    expect(take()).toEqual(["rejected, again in 1000"])
    readable = true
    await clock.advance(1000)
    transport.last.open()
    expect(transport.last.sent).toHaveLength(1)
  })

  test("reports a token that does not fit into a frame", async () => {
    const { open, take, failures } = setUp({ token: { description: "the token", read: () => '"'.repeat(512) } })
    await open()
    expect(take()).toEqual(["failed with 77"])
    expect(failures[0]!.message).toContain("too long")
  })
})

describe("jobs", () => {
  test("that arrive together are replaced by the last", async () => {
    const { open, take } = setUp()
    const session = await open()
    session.receive(...Array.from({ length: 2000 }, (_, i) => newJob(`${i}`)))
    expect(take()).toEqual(["connected", "job 1999"])
  })

  test("that are invalid are answered and void the previous one; the next valid job is searched", async () => {
    const { open, take, log } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    session.receive(newJob("2", { difficulty: "0" }))
    session.receive(newJob("3", { mining_hash: "xyz" }))
    session.receive(newJob("4"))
    expect(take()).toEqual(["connected", "job 1", "no job", "job 4"])
    expect(results(session.sent).map(({ status, job_id }) => [status, job_id])).toEqual([
      ["failed", "2"],
      ["failed", "3"],
    ])
    expect(log.lines.map(({ level }) => level)).toEqual(["warn", "warn"])
  })

  test("continue after unknown messages, which are ignored with one warning", async () => {
    const { open, take, log } = setUp()
    const session = await open()
    for (let i = 0; i < 5; i++) session.receive('{"Ping":{}}', newJob("1"), "{nonsense")
    expect(take()).toEqual(["connected", ...Array(5).fill("job 1")])
    expect(log.lines.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
      "the node sent a message of kind Ping; such messages are ignored",
      "the node sent no JSON object; such messages are ignored",
    ])
  })

  test("cause a bounded number of warnings", async () => {
    const { open, log } = setUp()
    const session = await open()
    for (let i = 0; i < 500; i++) session.receive(`{"Unknown${i}":{}}`)
    expect(log.lines.length).toBeLessThan(20)
  })

  test("are read whole from two pieces, at every cut", async () => {
    const { open, take } = setUp()
    const session = await open()
    session.receive(newJob("0"))
    take()
    const frame = new Uint8Array(4 + newJob("1").length)
    frame.set([0, 0, newJob("1").length >> 8, newJob("1").length & 255])
    frame.set(new TextEncoder().encode(newJob("1")), 4)
    for (let cut = 1; cut < frame.length; cut++) {
      session.receiveBytes(frame.subarray(0, cut))
      expect(take()).toEqual([])
      session.receiveBytes(frame.subarray(cut))
      expect(take()).toEqual(["job 1"])
    }
  })

  test("after a frame over the maximum come from the next connection", async () => {
    const { clock, transport, open, take } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    session.receiveBytes(new Uint8Array([0, 0, 4, 1]))
    expect(session.state).toBe("closed")
    expect(take()).toEqual(["connected", "job 1", "protocol, again in 1000"])
    await clock.advance(1000)
    transport.last.open()
    transport.last.receive(newJob("2"))
    expect(take()).toEqual(["connected", "job 2"])
  })
})

describe("seals", () => {
  test("are written immediately", async () => {
    const { source, open, jobs } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    const seal = sealOf(jobs[0]!)
    expect(await source.submit(seal)).toEqual({ result: "sent" })
    expect(results(session.sent)).toEqual([
      {
        status: "completed",
        job_id: "1",
        nonce: BigInt(`0x${seal.nonce.toHex()}`).toString(16),
        work: seal.nonce.toHex(),
        hash_count: 12,
        elapsed_time: 0.5,
      },
    ])
  })

  test("of a replaced or a sealed job are stale", async () => {
    const { source, open, jobs } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    session.receive(newJob("2"))
    expect(await source.submit(sealOf(jobs[0]!))).toEqual({ result: "stale" })
    expect(await source.submit(sealOf(jobs[1]!))).toEqual({ result: "sent" })
    expect(await source.submit(sealOf(jobs[1]!))).toEqual({ result: "stale" })
    session.receive(newJob("3", { difficulty: "0" }))
    expect(await source.submit(sealOf(jobs[1]!))).toEqual({ result: "stale" })
    expect(results(session.sent).filter(({ status }) => status === "completed")).toHaveLength(1)
  })

  test("continue in a job that a pool resends, each nonce once", async () => {
    const { source, open, jobs, take } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    const seal = sealOf(jobs[0]!)
    expect(await source.submit(seal)).toEqual({ result: "sent" })
    session.receive(newJob("1"))
    expect(take()).toEqual(["connected", "job 1", "job 1"])
    expect(await source.submit(seal)).toEqual({ result: "stale" })
    expect(await source.submit(sealOf(jobs[0]!))).toEqual({ result: "sent" })
    expect(results(session.sent)).toHaveLength(2)
  })

  test("continue without a resent job with --keep-mining", async () => {
    const { source, open, jobs } = setUp({ keepMining: true })
    const session = await open()
    session.receive(newJob("1"))
    expect(jobs[0]!.afterSeal).toBe("continue")
    for (let i = 0; i < 3; i++) expect(await source.submit(sealOf(jobs[0]!))).toEqual({ result: "sent" })
    expect(results(session.sent)).toHaveLength(3)
  })

  test("must meet the latest difficulty of the job", async () => {
    const { source, open, jobs } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    session.receive(newJob("1", { difficulty: U512_MAX.toString() }))
    const hash = new Uint8Array(64).fill(1)
    expect(await source.submit(sealOf(jobs[0]!, { hash }))).toEqual({ result: "stale" })
    session.receive(newJob("1"))
    expect(await source.submit(sealOf(jobs[0]!, { hash }))).toEqual({ result: "sent" })
  })

  test("found while the connection is down are sent if the job is still the node's", async () => {
    const { source, clock, transport, open, jobs, take } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    session.end()
    take()
    const verdict = source.submit(sealOf(jobs[0]!))
    expect(await now(verdict)).toBe("pending")
    await clock.advance(1000)
    transport.last.open()
    expect(await now(verdict)).toBe("pending")
    transport.last.receive(newJob("1"))
    expect(await now(verdict)).toBe("sent")
    expect(results(transport.last.sent)).toHaveLength(1)
    expect(take()).toEqual(["connected"])
  })

  test("found while the connection is down are void if the job returns with a higher difficulty, with one line", async () => {
    const { source, clock, transport, open, jobs, log } = setUp({ keepMining: true })
    const session = await open()
    session.receive(newJob("1"))
    session.end()
    const hash = new Uint8Array(64).fill(1)
    const verdicts = [1, 2, 3].map(() => source.submit(sealOf(jobs[0]!, { hash })))
    await clock.advance(1000)
    transport.last.open()
    transport.last.receive(newJob("1", { difficulty: U512_MAX.toString() }))
    expect(await Promise.all(verdicts)).toEqual(Array(3).fill({ result: "stale" }))
    expect(results(transport.last.sent)).toEqual([])
    expect(log.texts.filter(text => text.includes("higher difficulty"))).toEqual([
      "info 1 was sent again with a higher difficulty: 3 held seals below it were discarded",
    ])
  })

  test("found while the connection is down are stale if the node's job has changed", async () => {
    const { source, clock, transport, open, jobs, take } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    session.end()
    take()
    const verdict = source.submit(sealOf(jobs[0]!))
    await clock.advance(1000)
    transport.last.open()
    transport.last.receive(newJob("1", { mining_hash: "22".repeat(32) }))
    expect(await now(verdict)).toBe("stale")
    expect(results(transport.last.sent)).toEqual([])
    expect(take()).toEqual(["connected", "job 1"])
  })

  test("that were written when the node vanished are sent again, those that arrived are not", async () => {
    const { source, clock, transport, open, jobs } = setUp({ keepMining: true })
    const session = await open()
    session.receive(newJob("1"))
    await source.submit(sealOf(jobs[0]!, { hashes: 1n }))
    session.heard()
    await source.submit(sealOf(jobs[0]!, { hashes: 2n }))
    await clock.advance(2000)
    transport.last.open()
    transport.last.receive(newJob("1"))
    expect(results(transport.last.sent).map(({ hash_count }) => hash_count)).toEqual([2])
  })

  test("are held while the node is silent, and sent when it answers again", async () => {
    const { source, clock, open, jobs } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    await clock.advance(2000)
    const verdict = source.submit(sealOf(jobs[0]!))
    expect(await now(verdict)).toBe("pending")
    session.heard()
    await clock.advance(200)
    expect(await now(verdict)).toBe("sent")
    expect(results(session.sent)).toHaveLength(1)
  })
})

describe("the loss of a node", () => {
  test("dials within 0.25 s after the close of a connection that worked", async () => {
    const { clock, transport, open, take } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    for (let i = 0; i < 30; i++) {
      await clock.advance(1000)
      session.heard()
    }
    session.end()
    expect(take()).toEqual(["connected", "job 1", "closed, again in 100"])
    const before = transport.sessions.length
    await clock.advance(100)
    expect(transport.sessions.length).toBe(before + 1)
  })

  /** Opens `count` connections that end `lifeMs` after `use`, and returns the waits between them. */
  async function waitsAfter(
    { clock, transport, said }: Bench,
    count: number,
    use: () => Promise<void>,
    lifeMs: number,
  ) {
    const waits: number[] = []
    await clock.advance(0)
    for (let i = 0; i < count; i++) {
      const session = transport.last
      session.open()
      await use()
      for (let age = 0; age < lifeMs; age += 300) {
        await clock.advance(300)
        session.heard()
      }
      said.length = 0
      session.end()
      const wait = Number(said.at(-1)!.split(" ").at(-1))
      waits.push(wait)
      await clock.advance(wait)
    }
    return waits
  }

  test("doubles the wait if the node sends a job and closes soon", async () => {
    const bench = setUp()
    const waits = await waitsAfter(bench, 7, async () => bench.transport.last.receive(newJob("1")), 300)
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  })

  test("doubles the wait if the node closes without a job", async () => {
    const bench = setUp()
    expect(await waitsAfter(bench, 3, async () => {}, 9000)).toEqual([1000, 2000, 4000])
  })

  test("resets the wait after a connection with a job for 30 s, or with a sent seal", async () => {
    const bench = setUp()
    const job = async () => bench.transport.last.receive(newJob("1"))
    expect(await waitsAfter(bench, 2, job, 29_700)).toEqual([1000, 2000])
    expect(await waitsAfter(bench, 1, job, 30_000)).toEqual([100])
    expect(await waitsAfter(bench, 2, job, 300)).toEqual([1000, 2000])
    const seal = async () => {
      bench.transport.last.receive(newJob("2"))
      await bench.source.submit(sealOf(bench.jobs.at(-1)!))
    }
    expect(await waitsAfter(bench, 1, seal, 300)).toEqual([100])
    expect(await waitsAfter(bench, 1, job, 300)).toEqual([1000])
  })

  test("does not count a voided job towards the 30 s", async () => {
    const bench = setUp()
    const voided = async () => bench.transport.last.receive(newJob("1"), newJob("2", { difficulty: "0" }))
    const bad = async () => {
      bench.transport.last.receive(newJob("1"))
      await voided()
    }
    expect(await waitsAfter(bench, 2, bad, 60_000)).toEqual([1000, 2000])
  })

  test("dials an absent node every 1.5 s, one attempt at a time, and reports it every 30 s", async () => {
    const { clock, transport, take } = setUp()
    await clock.advance(60_000)
    expect(transport.sessions.length).toBe(41)
    expect(transport.open).toBe(1)
    expect(take().map(line => line.split(",")[0])).toEqual(["timeout", "timeout"])
    transport.last.open()
    expect(transport.open).toBe(1)
  })

  test("begins a handshake within 1.5 s of a node's return", async () => {
    const { clock, transport, open, take } = setUp()
    for (const away of [1000, 10_000, 60_000, 61_234]) {
      const session = transport.sessions.length === 0 ? await open() : transport.last
      session.receive(newJob(`${away}`))
      await clock.advance(away)
      const back = clock.now()
      const before = transport.sessions.length
      while (transport.sessions.length === before) await clock.advance(50)
      expect(clock.now() - back).toBeLessThanOrEqual(1550)
      transport.last.open()
      take()
    }
  })

  test("doubles the interval of attempts after ten minutes of silence, up to 30 s", async () => {
    const { clock, transport } = setUp()
    const times: number[] = []
    for (let second = 0; second < 1500; second++) {
      const before = transport.sessions.length
      await clock.advance(1000)
      if (transport.sessions.length > before) times.push(clock.now())
    }
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    expect(Math.max(...gaps)).toBe(30_000)
    expect(gaps.filter(gap => gap <= 2000).length).toBeGreaterThan(390)
  })

  test("does not dial beside a handshake that was answered, and gives it 3 s", async () => {
    const { clock, transport, take } = setUp()
    await clock.advance(0)
    const answered = transport.last
    answered.heard()
    await clock.advance(2900)
    expect([transport.sessions.length, answered.state, take()]).toEqual([1, "open", []])
    await clock.advance(100)
    expect([answered.state, take()[0]]).toEqual(["closed", "timeout, again in 0"])
    await clock.advance(0)
    expect(transport.sessions.length).toBe(2)
  })

  test("forgets refusals for want of a place with the next handshake", async () => {
    const { clock, transport, open } = setUp()
    for (let i = 0; i < 5; i++) {
      const session = await open()
      session.end()
      await clock.advance(60_000)
      transport.last.end("refused", "the node refuses connections")
      const before = transport.sessions.length
      await clock.advance(4999)
      expect(transport.sessions.length).toBe(before)
      await clock.advance(2)
      expect(transport.sessions.length).toBe(before + 1)
    }
  })

  test("does not begin a handshake with an address that refused while its round was resolved", async () => {
    let resolved = () => {}
    const addresses = new Promise<string[]>(resolve => {
      resolved = () => resolve(["10.0.0.1"])
    })
    let lookups = 0
    const resolve = async () => (lookups++ === 0 ? ["10.0.0.1"] : await addresses)
    const { clock, transport } = setUp({ resolve })
    await clock.advance(1500)
    transport.last.end("refused", "the node refuses connections")
    resolved()
    await clock.advance(4000)
    expect(transport.sessions.length).toBe(1)
  })

  test("closes every other handshake with a node that refuses one, and returns after 2 to 5 s", async () => {
    for (const [random, waits] of [
      [0, [5000, 5000, 10_000, 20_000, 30_000]],
      [1, [2000, 2000, 4000, 8000, 12_000]],
    ] as const) {
      const { clock, transport } = setUp({ random: () => random })
      // The fifth round leaves the handshake of the fourth its time.
      await clock.advance(6000 - 1500 * random)
      const [first, second] = transport.sessions.slice(-2)
      expect([first!.state, second!.state]).toEqual(["open", "open"])
      for (const wait of waits) {
        transport.last.end("refused", "the node refuses connections")
        expect([first!.state, second!.state]).toEqual(["closed", "open"])
        const before = transport.sessions.length
        await clock.advance(wait - 1)
        expect(transport.sessions.length).toBe(before)
        await clock.advance(2)
        expect(transport.sessions.length).toBe(before + 1)
      }
    }
  })

  test("says that this system refuses to send, once in 30 s, and only if it refuses for every address", async () => {
    const addresses = ["fd00::1", "10.0.0.1"]
    const { clock, transport, messages } = setUp({ resolve: async () => addresses })
    transport.refusals["fd00::1"] = "ENETUNREACH (no route)"
    await clock.advance(20_000)
    expect(messages.splice(0)).toEqual(["no answer from 10.0.0.1 port 9833"])
    transport.refusals["10.0.0.1"] = "EPERM (a firewall or seccomp filter)"
    await clock.advance(20_000)
    expect(messages).toHaveLength(1)
    expect(messages[0]).toStartWith("this system refuses to send to ")
  })

  test("doubles the wait if the node refuses the handshake", async () => {
    const { clock, transport, take } = setUp()
    const times: number[] = []
    await clock.advance(0)
    for (let i = 0; i < 8; i++) {
      times.push(clock.now())
      const before = transport.sessions.length
      transport.last.end("handshake", "another ALPN")
      while (transport.sessions.length === before) await clock.advance(500)
    }
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    expect(gaps).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    expect(take()[0]).toBe("handshake, again in 1000")
  })

  test("dials in parallel while the node is silent, and keeps the connection that answers", async () => {
    const { clock, transport, open, take } = setUp()
    const first = await open()
    first.receive(newJob("1"))
    take()
    await clock.advance(3000)
    expect(first.state).toBe("open")
    expect(transport.open).toBeGreaterThan(1)
    transport.last.open()
    expect([first.state, transport.open]).toEqual(["closed", 1])
    expect(take()).toEqual(["timeout, again in 0"])
    transport.last.receive(newJob("2"))
    expect(take()).toEqual(["connected", "job 2"])
  })

  test("keeps the connection if the node answers again", async () => {
    const { clock, transport, open, take } = setUp()
    const first = await open()
    first.receive(newJob("1"))
    take()
    await clock.advance(3000)
    first.heard()
    await clock.advance(200)
    expect([first.state, transport.open]).toEqual(["open", 1])
    expect(take()).toEqual([])
  })

  test("ends a silent connection within 15 s", async () => {
    const { clock, open, take } = setUp()
    const first = await open()
    first.receive(newJob("1"))
    await clock.advance(14_000)
    expect(take()).toEqual(["connected", "job 1"])
    await clock.advance(1000)
    expect(take()[0]).toStartWith("timeout")
    expect(first.state).toBe("closed")
  })

  test("keeps a node that only answers pings", async () => {
    const { clock, transport, open, take } = setUp()
    const session = await open()
    session.receive(newJob("1"))
    take()
    for (let i = 0; i < 600; i++) {
      await clock.advance(1000)
      session.heard()
    }
    expect([take(), transport.sessions.length]).toEqual([[], 1])
  })

  test("resolves the host name in every round, for both address families", async () => {
    let addresses = ["10.0.0.1", "fd00::1"]
    const { clock, transport } = setUp({ host: "node.example", resolve: async () => addresses })
    await clock.advance(300)
    expect(transport.sessions.map(({ address }) => address.ip)).toEqual(["10.0.0.1", "fd00::1"])
    addresses = ["10.0.0.2"]
    await clock.advance(1200)
    expect(transport.last.address).toEqual({ ip: "10.0.0.2", port: 9833 })
  })

  test("reports a host name without an address, and resolves it again", async () => {
    let known = false
    const resolve = async () => {
      if (!known) throw new Error("ENOTFOUND")
      return ["10.0.0.1"]
    }
    const { clock, transport, take } = setUp({ host: "node.example", resolve })
    await clock.advance(5000)
    expect(take()).toEqual(["unreachable, again in 1500"])
    known = true
    await clock.advance(1500)
    expect(transport.sessions).toHaveLength(1)
  })
})

describe("closing", () => {
  test("closes the connection, settles held seals, and emits no further event", async () => {
    const { source, clock, transport, open, jobs, take } = setUp()
    const first = await open()
    first.receive(newJob("1"))
    await clock.advance(2000)
    take()
    const verdict = source.submit(sealOf(jobs[0]!))
    await source.close()
    expect(await now(verdict)).toBe("stale")
    expect([first.state, transport.open, transport.closed]).toEqual(["closed", 0, true])
    await clock.advance(60_000)
    expect([take(), clock.pending, await now(source.submit(sealOf(jobs[0]!)))]).toEqual([[], 0, "stale"])
  })

  test("works while nothing is connected", async () => {
    const { source, clock, transport, take } = setUp()
    await clock.advance(1400)
    await source.close()
    await clock.advance(60_000)
    expect([transport.open, clock.pending, take()]).toEqual([0, 0, []])
  })
})

test("closes by a node that keeps restarting are no rejection of the token", async () => {
  const { clock, transport, take } = setUp()
  await clock.advance(0)
  for (let i = 0; i < 5; i++) {
    // The node leaves the first attempt unanswered, as it is starting.
    await clock.advance(1500)
    transport.last.open()
    await clock.advance(20)
    transport.last.end()
    const before = transport.sessions.length
    while (transport.sessions.length === before) await clock.advance(100)
  }
  expect(take().filter(line => line.startsWith("failed"))).toEqual([])
})

test("closes after a job are no rejection of the token", async () => {
  const { clock, transport, open, take } = setUp()
  const session = await open()
  session.receive(newJob("1"))
  session.end()
  for (let i = 0; i < 5; i++) {
    const before = transport.sessions.length
    while (transport.sessions.length === before) await clock.advance(100)
    transport.last.open()
    await clock.advance(20)
    transport.last.end()
  }
  expect(take().filter(line => line.startsWith("failed"))).toEqual([])
})

/** A pool that combines loose readings of the protocol: no share is lost, none counts twice. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { targetOf, verifySeal } from "../../../src/pow/target.ts"
import type { Connect, SocketEvents } from "../../../src/sources/stratum/socket.ts"
import { createStratumSource } from "../../../src/sources/stratum/stratum-source.ts"
import { collectLog } from "../../support/collect-log.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { headerOf, Recorder, sealOf } from "../recorder.ts"

const SHARES = 3
const HEX_TARGET = targetOf(1n).toString(16).padStart(128, "0")

const looseness = fc.record({
  id: fc.constantFrom("number", "text", "none"),
  error: fc.constantFrom(undefined, null, [], {}, "", 0, false),
  session: fc.constantFrom<unknown>("s-1", 7),
  jobId: fc.constantFrom<unknown>("1-1", 70655),
  status: fc.constantFrom<object>({}, { status: "OK" }, { status: "ok" }),
  share: fc.constantFrom<unknown>({ status: "OK" }, true, "OK"),
  difficulty: fc.constantFrom<unknown>(1, "1", "1.0", "1e0", 0.75, "10E-1", undefined),
  target: fc.constantFrom<unknown>(HEX_TARGET, `0x${HEX_TARGET}`, HEX_TARGET.toUpperCase(), undefined, "ffff"),
  jobAt: fc.constantFrom("before login", "in the answer", "after login"),
  bom: fc.boolean(),
  garbage: fc.boolean(),
  piece: fc.integer({ min: 1, max: 400 }),
  /** The share at which the connection ends, and whether the pool has counted it by then. */
  dropAt: fc.constantFrom(undefined, 0, 1, 2),
  countedBeforeDrop: fc.boolean(),
})

type Looseness = typeof looseness extends fc.Arbitrary<infer T> ? T : never

/** The reference judges every share; each connection's nonces are kept. */
class LoosePool {
  readonly counted = new Set<string>()
  readonly invalid: string[] = []
  readonly received: string[][] = []
  readonly jobIds: unknown[] = []
  readonly #loose: Looseness
  #dropped = false

  constructor(loose: Looseness) {
    this.#loose = loose
  }

  readonly connect: Connect = events => {
    this.received.push([])
    let open = true
    const say = (message: object) => open && this.#send(events, message)
    setImmediate(() => open && events.open())
    return {
      write: text => {
        for (const line of text.trimEnd().split("\n")) {
          const message = JSON.parse(line)
          setImmediate(() => {
            if (!open) return
            if (this.#take(message, say)) return
            open = false
            events.closed({ reason: "closed", message: "gone" })
          })
        }
      },
      close: () => {
        open = false
      },
    }
  }

  /** @returns false if the connection ends */
  #take(
    { id, method, params }: { id: number; method: string; params: Record<string, string> },
    say: (m: object) => void,
  ) {
    const { session, status, jobAt, share, garbage, dropAt, countedBeforeDrop } = this.#loose
    if (method === "login") {
      const push = { method: "job", params: { job: this.#job } }
      if (jobAt === "before login") say(push)
      this.#answer(id, { id: session, ...status, job: jobAt === "in the answer" ? this.#job : null }, say)
      if (jobAt === "after login") say(push)
      return true
    }
    const nonce = params["nonce"]!
    this.received.at(-1)!.push(nonce)
    this.jobIds.push(params["job_id"])
    const drops = !this.#dropped && dropAt === this.counted.size
    if (drops) this.#dropped = true
    if (drops && !countedBeforeDrop) return false
    const known = this.counted.has(nonce)
    if (!verifySeal(headerOf(1), Uint8Array.fromHex(nonce), targetOf(1n))) this.invalid.push(nonce)
    this.counted.add(nonce)
    if (drops) return false
    if (garbage) say({ toJSON: () => undefined })
    if (known) this.#answer(id, null, say, { code: 22, message: "Duplicate share" })
    else this.#answer(id, share, say)
    return true
  }

  get #job(): object {
    const { jobId, difficulty, target } = this.#loose
    const bound = {
      difficulty: difficulty ?? (typeof target === "string" && target !== "ffff" ? undefined : 1),
      target,
    }
    return { job_id: jobId, mining_hash: headerOf(1).toHex(), extranonce: "00131609", ...bound }
  }

  #answer(id: number, result: unknown, say: (message: object) => void, error: unknown = this.#loose.error): void {
    const form = this.#loose.id
    say({ ...(form !== "none" && { id: form === "text" ? String(id) : id }), result, error })
  }

  #send(events: SocketEvents, message: object): void {
    const { bom, piece } = this.#loose
    const bytes = new TextEncoder().encode(`${bom ? "\ufeff" : ""}${JSON.stringify(message) ?? "\u0007what?"}\n`)
    for (let at = 0; at < bytes.length; at += piece) events.data(bytes.subarray(at, at + piece))
  }
}

test("1,000 combinations of loose readings lose no share and count none twice", async () => {
  await fc.assert(
    fc.asyncProperty(looseness, async loose => {
      const [pool, clock, events] = [new LoosePool(loose), new FakeClock(), new Recorder()]
      const source = createStratumSource({
        name: "stratum+tcp://pool.test:3333",
        connect: pool.connect,
        credentials: () => ({ login: "qzTest.rig", password: "x", agent: "quantus-miner/test" }),
        clock,
        log: collectLog(),
        random: () => 0,
      })
      source.start(events)
      const job = await events.nextJob()
      const nonces: string[] = []
      for (let salt = 0; salt < SHARES; salt++) {
        const seal = sealOf(job, salt)
        nonces.push(seal.nonce.toHex())
        const verdict = source.submit(seal)
        await clock.advance(2000)
        expect(await verdict).toEqual({ result: "accepted" })
      }
      await source.close()
      expect([[...pool.counted].sort(), pool.invalid]).toEqual([nonces.sort(), []])
      for (const onConnection of pool.received) expect(new Set(onConnection).size).toBe(onConnection.length)
      expect(new Set(pool.jobIds)).toEqual(new Set([loose.jobId]))
    }),
    { numRuns: 1000 },
  )
}, 60_000)

import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import net from "node:net"
import { type DevPool, type PoolEvent, type PoolOptions, startPool } from "../../src/devnode/pool.ts"
import { describePoolEvent, describePoolTotals } from "../../src/devnode/pool-describe.ts"
import { OperatorError } from "../../src/errors.ts"
import { targetOf, verifySeal } from "../../src/pow/target.ts"
import { parseExactJson } from "../../src/sources/stratum/exact-json.ts"
import { LineReader } from "../../src/sources/stratum/lines.ts"
import { FakeClock } from "../support/fake-clock.ts"

interface Message {
  readonly id?: number | null
  readonly method?: string
  readonly params?: { readonly clean_jobs: boolean; readonly job: WireJob }
  readonly result?: { readonly id: string; readonly status: string; readonly job: WireJob } | null
  readonly error?: { readonly code: number; readonly message: string } | null
}

interface WireJob {
  readonly job_id: string
  readonly mining_hash: string
  readonly extranonce: string
  readonly difficulty: number | bigint
  readonly target: string
  readonly seq: number
}

/** A miner that writes given messages and reads lines. */
class Client {
  readonly #messages: Message[] = []
  #wake = () => {}
  readonly closed: Promise<unknown>

  private constructor(readonly socket: net.Socket) {
    const lines = new LineReader()
    this.closed = new Promise(resolve => socket.once("close", resolve))
    socket.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) this.#messages.push(parseExactJson(line) as Message)
      this.#wake()
    })
  }

  static async open(port: number): Promise<Client> {
    const socket = net.connect(port, "127.0.0.1")
    await new Promise(resolve => socket.once("connect", resolve))
    return new Client(socket)
  }

  async ask(message: object): Promise<Message> {
    this.socket.write(`${JSON.stringify(message)}\n`)
    return await this.next()
  }

  async next(): Promise<Message> {
    while (this.#messages.length === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift()!
  }

  async login(login = "qzTest.rig"): Promise<{ session: string; job: WireJob }> {
    const { result } = await this.ask({ id: 1, method: "login", params: { login, pass: "x", agent: "test" } })
    return { session: result!.id, job: result!.job }
  }

  async submit(session: string, job_id: string, nonce: string): Promise<Message> {
    return await this.ask({ id: 2, method: "submit", params: { id: session, job_id, nonce } })
  }
}

let clock: FakeClock
let pool: DevPool
let events: PoolEvent[]

async function start(options: Partial<PoolOptions> = {}): Promise<void> {
  clock = new FakeClock()
  const seen: PoolEvent[] = []
  const onEvent = (event: PoolEvent) => void seen.push(event)
  events = seen
  pool = await startPool({ address: "127.0.0.1", port: 0, difficulty: 4n, intervalMs: 0, clock, onEvent, ...options })
}

beforeEach(() => start())
afterEach(() => pool.close())

/** Nonces of the miner's own part, with whether they are seals. */
function* nonces({ extranonce, mining_hash }: WireJob): Generator<{ nonce: string; good: boolean }> {
  for (let i = 1; ; i++) {
    const nonce = extranonce + i.toString(16).padStart(120, "0")
    yield {
      nonce,
      good: verifySeal(Uint8Array.fromHex(mining_hash), Uint8Array.fromHex(nonce), targetOf(4n)) !== undefined,
    }
  }
}

const find = (job: WireJob, good: boolean) => nonces(job).find(candidate => candidate.good === good)!.nonce

describe("shares", () => {
  test("are verified with the reference hash", async () => {
    const miner = await Client.open(pool.port)
    const { session, job } = await miner.login()
    expect(await miner.submit(session, job.job_id, find(job, true))).toMatchObject({
      id: 2,
      error: null,
      result: { status: "OK" },
    })
    expect((await miner.submit(session, job.job_id, find(job, false))).error).toMatchObject({ code: 23 })
    expect(pool.totals).toMatchObject({ accepted: 1, low: 1 })
  })

  test("are accepted once", async () => {
    const miner = await Client.open(pool.port)
    const { session, job } = await miner.login()
    const nonce = find(job, true)
    await miner.submit(session, job.job_id, nonce)
    expect((await miner.submit(session, job.job_id, nonce)).error!.message).toBe("Duplicate share")
  })

  test("with another miner's extranonce, an old job or an invalid nonce are refused", async () => {
    const miner = await Client.open(pool.port)
    const { session, job } = await miner.login()
    const other = `${job.extranonce === "00000000" ? "1" : "0"}`.repeat(8).padEnd(128, "0")
    expect((await miner.submit(session, job.job_id, other)).error).toMatchObject({ code: 24 })
    expect((await miner.submit(session, job.job_id, "12")).error).toMatchObject({ code: 20 })
    pool.nextJob()
    await miner.next()
    expect((await miner.submit(session, job.job_id, find(job, true))).error).toMatchObject({ code: 21 })
    expect((await miner.submit("nobody", job.job_id, find(job, true))).error).toMatchObject({ code: 25 })
  })

  test("have log lines and totals", async () => {
    const miner = await Client.open(pool.port)
    const { session, job } = await miner.login()
    await miner.submit(session, job.job_id, find(job, true))
    expect(events.map(describePoolEvent).at(-1)).toBe("share of job 1-4 by miner 1 accepted, 0.000 s after the job")
    expect(describePoolTotals(pool.totals)).toStartWith("1 jobs, 1 accepted shares, 0 stale")
  })
})

describe("jobs", () => {
  test("differ between miners by their extranonce only", async () => {
    const [a, b] = [await Client.open(pool.port), await Client.open(pool.port)]
    const [first, second] = [(await a.login()).job, (await b.login()).job]
    expect(first.extranonce).toMatch(/^[0-9a-f]{8}$/)
    expect(first.extranonce).not.toBe(second.extranonce)
    expect({ ...first, extranonce: "" }).toEqual({ ...second, extranonce: "" })
  })

  test("are replaced at the interval, for all miners", async () => {
    await pool.close()
    await start({ intervalMs: 1000 })
    const miners = [await Client.open(pool.port), await Client.open(pool.port)]
    const logins = await Promise.all(miners.map(miner => miner.login()))
    await clock.advance(1000)
    for (const [i, miner] of miners.entries()) {
      const { method, params } = await miner.next()
      expect(method).toBe("job")
      expect(params).toMatchObject({ clean_jobs: true, job: { extranonce: logins[i]!.job.extranonce, seq: 2 } })
    }
  })

  test("carry difficulties beyond 2^53 with all digits, and their target", async () => {
    const difficulty = 2n ** 200n + 1n
    await pool.close()
    await start({ difficulty })
    const { job } = await (await Client.open(pool.port)).login()
    expect(job.difficulty).toBe(difficulty)
    expect(BigInt(`0x${job.target}`)).toBe(targetOf(difficulty))
  })
})

describe("miners", () => {
  test("stay connected with keepalived", async () => {
    const miner = await Client.open(pool.port)
    const { session } = await miner.login()
    const { result } = await miner.ask({ id: 3, method: "keepalived", params: { id: session } })
    expect(result).toEqual({ status: "KEEPALIVED" } as never)
  })

  test("need a login within ten seconds", async () => {
    const miner = await Client.open(pool.port)
    expect((await miner.ask({ id: 1, method: "login", params: {} })).error!.message).toBe("Invalid login")
    await clock.advance(10_000)
    await miner.closed
  })

  test("that send malformed lines are disconnected", async () => {
    for (const nonsense of ["nonsense\n", "[]\n", "x".repeat(70_000)]) {
      const miner = await Client.open(pool.port)
      miner.socket.write(nonsense)
      await miner.closed
    }
    expect((await (await Client.open(pool.port)).login()).job.job_id).toBe("1-4")
  })

  test("that disconnect are removed", async () => {
    const miner = await Client.open(pool.port)
    await miner.login()
    miner.socket.destroy()
    while (!events.some(({ type }) => type === "disconnected")) await new Promise(resolve => setImmediate(resolve))
    pool.nextJob()
    expect(events.at(-1)).toMatchObject({ type: "job", miners: 0 })
  })
})

test("a port in use is an operator's error", async () => {
  const options = { address: "127.0.0.1", port: pool.port, difficulty: 1n, intervalMs: 1000, clock, onEvent() {} }
  expect(await startPool(options).catch(error => error)).toBeInstanceOf(OperatorError)
  expect(clock.pending).toBe(0)
})

/**
 * A fleet at one node: 40 miners, of which all but two are paused, and 200 connections made by the source code in four
 * processes. With `NODE_RUN` also at a whole quantus-node.
 */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { PIN_FILE, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { linesOf } from "../../src/host/lines-of.ts"
import { distribution, figure } from "../faults/figures.ts"
import { nodeMissing, RealNode } from "../node/real-node.ts"
import { freeUdpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import type { FleetEvent } from "./fleet-connections.ts"

const MINERS = 40
const MINING = 2
const HOLDERS = 4
const CONNECTIONS_PER_HOLDER = 50
const CONNECTIONS = HOLDERS * CONNECTIONS_PER_HOLDER
/** Miners that start at a time: each generates and checks its kernel. */
const BATCH = 10
const SEALS = 4
const DIFFICULTY = 2_000_000
const AWAY_MS = 3000
const BACK_MS = 10_000
const TEST_MS = 600_000

const SENT = /the seal of (\S+) by \S+ was sent to/

/** What the test needs of a node, which keeps its credentials between runs. */
interface FleetNode {
  readonly port: number
  /** Directory of token and pin. */
  readonly credentials: string
  /** Settles once miners can connect. */
  start(): Promise<void>
  stop(): Promise<void>
  /** When it admitted each miner, and how many handshakes it refused, in this run. */
  readonly admissions: readonly number[]
  readonly refusals: number
  /** Settles once the node has judged the seals of this run; throws unless each is accounted for. */
  account(sealedJobs: readonly string[]): Promise<string>
}

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test(
  "a fleet at the development node",
  async () => {
    const directory = scratch()
    await serveFleet("the development node", new DevelopmentNode(await freeUdpPort(), directory))
  },
  TEST_MS,
)

const shown = nodeMissing === undefined ? "" : ` (skipped: ${nodeMissing})`
test.skipIf(nodeMissing !== undefined)(
  `a fleet at a whole quantus-node${shown}`,
  async () => {
    await serveFleet("a quantus-node", new WholeNode(await freeUdpPort(), scratch()))
  },
  TEST_MS,
)

async function serveFleet(name: string, node: FleetNode): Promise<void> {
  cleanups.push(() => node.stop())
  await node.start()
  const holders = Array.from({ length: HOLDERS }, () => new Holder(node))
  const miners = await startMiners(node)
  await until(() => holders.every(holder => holder.isServed(0)), "every connection has a job")

  const mining = miners.slice(0, MINING)
  const starts = miners.map(() => 0)
  const first = await sealAndAccount(node, miners, starts)

  const marks = miners.map(({ lines }) => lines.length)
  const before = holders.map(holder => holder.events.length)
  await node.stop()
  await Bun.sleep(AWAY_MS)
  await node.start()
  const returnedAt = performance.now()
  await until(() => node.admissions.length >= MINERS + CONNECTIONS, "every miner is admitted")
  const times = node.admissions.map(at => at - returnedAt)
  await Promise.all([
    ...holders.map((holder, i) => holder.returned(before[i]!)),
    ...miners.map((miner, i) => miner.line(/connected to/, marks[i])),
  ])
  const refusals = [
    ...holders.flatMap((holder, i) => holder.refusals(before[i]!)),
    ...miners.map(
      ({ lines }, i) => lines.slice(marks[i]).filter(({ text }) => /refuses connections/.test(text)).length,
    ),
  ]
  figure(
    `${times.length} connections return to ${name}`,
    `${distribution(times)}; ${refusals.filter(n => n > 0).length} were refused once, ` +
      `${refusals.filter(n => n > 1).length} more often, by ${node.refusals} refusals of the node`,
  )
  expect(Math.max(...times)).toBeLessThan(BACK_MS)
  expect(Math.max(...refusals)).toBeLessThanOrEqual(1)
  await until(() => holders.every((holder, i) => holder.isServed(before[i]!)), "every connection has a job again")

  for (const miner of mining) miner.kill("SIGUSR2")
  const second = await sealAndAccount(node, miners, marks)
  figure(`seals among ${MINERS + CONNECTIONS} connections at ${name}`, `${first}; after the restart ${second}`)
}

/** Lets the unpaused miners seal and pauses them; the node must have every seal since the lines `from`. */
async function sealAndAccount(
  node: FleetNode,
  miners: readonly MinerProcess[],
  from: readonly number[],
): Promise<string> {
  const sealed = () =>
    miners.flatMap(({ lines }, i) => lines.slice(from[i]).flatMap(({ text }) => SENT.exec(text)?.[1] ?? []))
  const enough = sealed().length + SEALS
  await until(() => sealed().length >= enough, `${SEALS} seals`)
  for (const miner of miners.slice(0, MINING)) {
    const mark = miner.lines.length
    miner.kill("SIGUSR1")
    await miner.line(/pause \(signal\)/, mark)
  }
  // A seal that was found before the pause is logged by now.
  await Bun.sleep(500)
  return await node.account(sealed())
}

/** Miners of which all but the first `MINING` are paused as soon as they are connected. */
async function startMiners(node: FleetNode): Promise<MinerProcess[]> {
  const miners: MinerProcess[] = []
  while (miners.length < MINERS) {
    const batch = Array.from({ length: Math.min(BATCH, MINERS - miners.length) }, () => startMiner(node))
    await Promise.all(batch.map(miner => miner.line(/connected to/)))
    for (const [i, miner] of batch.entries()) if (miners.length + i >= MINING) miner.kill("SIGUSR1")
    miners.push(...batch)
  }
  return miners
}

function startMiner({ port, credentials }: FleetNode): MinerProcess {
  const files = [
    `--auth-token-file=${join(credentials, TOKEN_FILE)}`,
    `--tls-cert-sha256-file=${join(credentials, PIN_FILE)}`,
  ]
  const engine = ["--cpu-workers=1", "--engine=wasm", "--gpu-devices=0"]
  const miner = new MinerProcess(["serve", `--node-addr=127.0.0.1:${port}`, ...engine, ...files])
  cleanups.push(async () => {
    miner.kill("SIGKILL")
    await miner.exited
  })
  return miner
}

/** A process that holds connections by the source code. */
class Holder {
  readonly events: { readonly event: FleetEvent; readonly at: number }[] = []

  constructor({ port, credentials }: FleetNode) {
    const script = join(import.meta.dir, "fleet-connections.ts")
    const command = [process.execPath, script, `${port}`, `${CONNECTIONS_PER_HOLDER}`, credentials]
    const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" })
    cleanups.push(async () => {
      child.kill("SIGKILL")
      await child.exited
    })
    void this.#read(child.stdout)
  }

  /** Whether each connection received a job since event `from`. */
  isServed(from: number): boolean {
    return this.#latest("job", from).size === CONNECTIONS_PER_HOLDER
  }

  /** Settles once each connection is back, since event `from`. */
  async returned(from: number): Promise<void> {
    await until(() => this.#latest("connected", from).size === CONNECTIONS_PER_HOLDER, "every connection is back")
  }

  /** Handshakes of each connection that the node refused since event `from`. */
  refusals(from: number): readonly number[] {
    const counts = new Array<number>(CONNECTIONS_PER_HOLDER).fill(0)
    for (const { event } of this.events.slice(from)) {
      if (event.type === "failed") throw new Error(event.reason)
      if (event.type === "refused") counts[event.id]!++
    }
    return counts
  }

  #latest(type: FleetEvent["type"], from: number): Map<number, number> {
    return new Map(this.events.slice(from).flatMap(({ event, at }) => (event.type === type ? [[event.id, at]] : [])))
  }

  async #read(stdout: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of linesOf(stdout))
      this.events.push({ event: JSON.parse(line) as FleetEvent, at: performance.now() })
  }
}

class DevelopmentNode implements FleetNode {
  #node: MinerProcess | undefined

  constructor(
    readonly port: number,
    readonly credentials: string,
  ) {}

  async start(): Promise<void> {
    const options = [
      `--port=${this.port}`,
      "--dir",
      this.credentials,
      `--difficulty=${DIFFICULTY}`,
      "--interval-ms=20000",
    ]
    this.#node = new MinerProcess(["node", ...options])
    await this.#node.line(/listening on/)
  }

  async stop(): Promise<void> {
    await this.#node?.stop()
  }

  get admissions(): readonly number[] {
    return this.#node!.lines.flatMap(({ text, at }) => (/miner \d+ connected/.test(text) ? [at] : []))
  }

  readonly refusals = 0

  async account(sealedJobs: readonly string[]): Promise<string> {
    const count = (pattern: RegExp) => this.#node!.lines.filter(({ text }) => pattern.test(text)).length
    const judged = () => count(/ sealed by miner /) + count(/ result for /)
    await until(() => judged() >= sealedJobs.length, "every seal is judged", 5000)
    expect(judged()).toBe(sealedJobs.length)
    const [valid, stale] = [count(/ sealed by miner /), count(/stale result for /)]
    expect(valid).toBe(new Set(sealedJobs).size)
    expect(stale).toBe(sealedJobs.length - valid)
    return `${valid} valid and ${stale} stale of ${sealedJobs.length} sent`
  }
}

class WholeNode implements FleetNode {
  #node: RealNode | undefined

  constructor(
    readonly port: number,
    readonly directory: string,
  ) {}

  get credentials(): string {
    return dirname(this.#node!.credentials.token)
  }

  async start(): Promise<void> {
    this.#node = new RealNode(this.directory, this.port, false)
    await this.#node.listening()
  }

  async stop(): Promise<void> {
    await this.#node?.stop()
  }

  get admissions(): readonly number[] {
    return this.#node!.lines.flatMap(({ text, at }) => (/Miner \d+ connected/.test(text) ? [at] : []))
  }

  get refusals(): number {
    return this.#node!.lines.filter(({ text }) => text.includes("Rejecting miner connection")).length
  }

  async account(sealedJobs: readonly string[]): Promise<string> {
    const jobs = new Set(sealedJobs).size
    expect((await this.#node!.importsOf(jobs)).length).toBe(jobs)
    return `${jobs} blocks for ${jobs} sealed jobs, ${sealedJobs.length} seals`
  }
}

async function until(condition: () => boolean, what: string, ms = 150_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`)
    await Bun.sleep(20)
  }
}

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "quantus-fleet-"))
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The built miner at a whole quantus-node: every seal becomes a block of its chain. */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { figure } from "../faults/figures.ts"
import { freeTcpPort, freeUdpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { type Credentials, credentialsIn, nodeMissing, RealNode } from "./real-node.ts"

const TEST_MS = 300_000
/** Seals that the miners find together for their luck, and how far it may be from one; by chance it is further once in 370 runs. */
const LUCK_SEALS = 20
const DEVIATIONS = 3
/** An absent node is dialed about every second. */
const REJOINED_MS = 3000
const SENT = /the seal of (\S+) by \S+ was sent to/

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

nodeTest("a block is imported for every seal", async () => {
  const node = await startNode()
  const miner = mine(node.port, node.credentials)
  await sealsOf(miner, 10)
  expect(await ended(miner)).toBe(0)
  const seals = sealedJobs(miner)
  expect(await node.importsOf(seals.length)).toEqual(numbersFrom(1, seals.length))
  expect(await node.height()).toBe(seals.length)
  figure("blocks that a quantus-node imported", `${seals.length} for ${seals.length} seals of one miner`)
})

nodeTest("a block is imported for every job that two miners seal", async () => {
  const node = await startNode()
  const miners = [mine(node.port, node.credentials), mine(node.port, node.credentials)]
  await Promise.all(miners.map(miner => sealsOf(miner, 4)))
  expect(await Promise.all(miners.map(ended))).toEqual([0, 0])
  const seals = miners.map(miner => sealedJobs(miner))
  const jobs = new Set(seals.flat())
  expect(await node.importsOf(jobs.size)).toEqual(numbersFrom(1, jobs.size))
  expect(await node.height()).toBe(jobs.size)
  figure(
    "blocks that a quantus-node imported from two miners",
    `${jobs.size} for ${jobs.size} sealed jobs, ${seals.map(({ length }) => length).join(" and ")} seals`,
  )
})

nodeTest("several miners are as lucky as their hashes, by the node's count of blocks", async () => {
  const node = await startNode()
  const ports = Array.from({ length: 3 }, () => freeTcpPort())
  const miners = ports.map(port => serve(node.port, [...fileOptions(node.credentials), `--metrics-port=${port}`]))
  // A fixed number of seals, so that the expected number is the uncertain one: its deviation is the same root.
  const found = () => miners.reduce((sum, miner) => sum + sealedJobs(miner).length, 0)
  while (found() < LUCK_SEALS) await Bun.sleep(50)
  for (const miner of miners) miner.kill("SIGUSR1")
  await Promise.all(miners.map(miner => miner.line(/pause \(signal\)/)))
  const pages = await Promise.all(ports.map(async port => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()))
  const expected = pages.reduce((sum, page) => sum + Number(/^miner_expected_seals_total (\S+)$/m.exec(page)![1]), 0)
  expect(await Promise.all(miners.map(ended))).toEqual(miners.map(() => 0))
  const seals = miners.flatMap(miner => sealedJobs(miner))
  const jobs = new Set(seals)
  const blocks = (await node.importsOf(jobs.size)).length
  figure(
    `luck of ${miners.length} miners at a quantus-node`,
    `${seals.length} seals and ${blocks} blocks of ${expected.toFixed(1)} expected, ` +
      `${((seals.length - expected) / Math.sqrt(expected)).toFixed(2)} deviations`,
  )
  expect(blocks).toBe(jobs.size)
  expect(Math.abs(seals.length - expected)).toBeLessThan(DEVIATIONS * Math.sqrt(expected))
})

nodeTest("mining and imports continue after the node was killed and restarted", async () => {
  const node = await startNode()
  const miner = mine(node.port, node.credentials)
  await sealsOf(miner, 5)
  node.kill("SIGKILL")
  await node.ended
  const lost = await miner.line(/next attempt/)
  const sealsBefore = sealedJobs(miner, 0, miner.lines.indexOf(lost)).length
  const importedBefore = node.imported.length
  // The seal that was sent last may have been under way.
  expect(sealsBefore - importedBefore).toBeOneOf([0, 1])

  const from = miner.lines.length
  const again = start(node.dir, node.port)
  const returned = await again.line(/Miner server listening/)
  const heightBefore = await again.height()
  expect(heightBefore).toBeOneOf([importedBefore, sealsBefore])
  const rejoined = (await again.line(/Miner \d+ connected/)).at - returned.at
  expect(rejoined).toBeLessThan(REJOINED_MS)
  const firstJob = await again.line(/Broadcasting job/)
  await sealsOf(miner, 5, from)
  expect(await ended(miner)).toBe(0)
  const seals = sealedJobs(miner, from).length
  expect(await again.importsOf(seals)).toEqual(numbersFrom(heightBefore + 1, seals))
  expect(await again.height()).toBe(heightBefore + seals)
  figure(
    "quantus-node killed (SIGKILL) and restarted",
    `the miner is back ${rejoined.toFixed(0)} ms after its return and ` +
      `${(firstJob.at - returned.at).toFixed(0)} ms pass until its first job; ` +
      `${importedBefore} blocks for ${sealsBefore} seals before, ${seals} for ${seals} after`,
  )
})

nodeTest("a new base path is followed by renewed credentials files", async () => {
  const node = await startNode()
  const own = scratch()
  node.copyCredentials(own)
  const miner = mine(node.port, credentialsIn(own))
  await sealsOf(miner, 3)
  await node.stop()
  const from = miner.lines.length
  // The new base path gets its token and certificate from a first run elsewhere: the miner would find them at once.
  const elsewhere = await startNode()
  elsewhere.copyCredentials(own)
  await elsewhere.stop()
  const moved = start(elsewhere.dir, node.port)
  await sealsOf(miner, 3, from)
  expect(await ended(miner)).toBe(0)
  const seals = sealedJobs(miner, from).length
  expect(await moved.importsOf(seals)).toEqual(numbersFrom(1, seals))

  const [before, after] = [readCredentials(node.credentials), readCredentials(moved.credentials)]
  const mixtures = [
    { token: before.token, pin: after.pin },
    { token: after.token, pin: before.pin },
  ]
  const codes = await Promise.all(
    mixtures.map(({ token, pin }) => serve(node.port, [`--auth-token=${token}`, `--tls-cert-sha256=${pin}`]).exited),
  )
  expect(codes).toEqual([77, 77])
  figure(
    "quantus-node with a new base path",
    `${seals} blocks for ${seals} seals; old token, old pin: ${codes.join(", ")}`,
  )
})

nodeTest("the fallback is mined for while a node waits for peers", async () => {
  const paused = await startNode({ paused: true })
  const poolPort = freeTcpPort()
  const pool = new MinerProcess(["pool", `--port=${poolPort}`, "--difficulty=200000"])
  cleanups.push(() => pool.stop())
  await pool.line(/[Ll]istening/)
  const miner = new MinerProcess([
    "serve",
    `--url=quic://127.0.0.1:${paused.port}`,
    `--url=stratum+tcp://127.0.0.1:${poolPort}`,
    "--login=miner.1",
    "--failover-patience=3",
    "--cpu-workers=1",
    ...fileOptions(paused.credentials),
  ])
  cleanups.push(() => miner.stop())
  await miner.line(/connected to quic:/)
  const connected = await paused.line(/Miner \d+ connected/)
  const accepted = await miner.line(/was accepted by stratum/)
  await pool.line(/share of job .* accepted/)
  expect(miner.text).not.toMatch(/\[job\] \S+ of quic:/)
  expect(await paused.height()).toBe(0)
  await paused.stop()
  const from = miner.lines.length
  const authoring = start(paused.dir, paused.port)
  await sealsOf(miner, 3, from)
  expect(await ended(miner)).toBe(0)
  const seals = sealedJobs(miner, from).length
  expect(await authoring.importsOf(seals)).toEqual(numbersFrom(1, seals))
  figure(
    "quantus-node that waits for peers",
    `first share at the fallback ${((accepted.at - connected.at) / 1000).toFixed(1)} s after the node accepted the ` +
      `miner (patience 3 s); ${seals} blocks for ${seals} seals once it has jobs`,
  )
})

/** A test that needs a quantus-node and names the reason if it is skipped. */
function nodeTest(name: string, body: () => Promise<void>): void {
  const shown = nodeMissing === undefined ? name : `${name} (skipped: ${nodeMissing})`
  test.skipIf(nodeMissing !== undefined)(shown, body, TEST_MS)
}

function start(dir: string, port: number, paused = false): RealNode {
  const node = new RealNode(dir, port, paused)
  cleanups.push(() => node.stop())
  return node
}

/** A node on a new base path and a free port, ready for miners. */
async function startNode({ paused = false } = {}): Promise<RealNode> {
  const node = start(scratch(), await freeUdpPort(), paused)
  await node.listening()
  return node
}

function serve(port: number, options: readonly string[]): MinerProcess {
  const miner = new MinerProcess(["serve", `--node-addr=127.0.0.1:${port}`, "--cpu-workers=1", ...options])
  cleanups.push(() => miner.stop())
  return miner
}

const mine = (port: number, credentials: Credentials): MinerProcess => serve(port, fileOptions(credentials))

const fileOptions = ({ token, pin }: Credentials): string[] => [
  `--auth-token-file=${token}`,
  `--tls-cert-sha256-file=${pin}`,
]

const readCredentials = ({ token, pin }: Credentials): Credentials => ({
  token: readFileSync(token, "utf8").trim(),
  pin: readFileSync(pin, "utf8").trim(),
})

/** The jobs whose seals were sent, by lines `from` up to `to`. */
const sealedJobs = (miner: MinerProcess, from = 0, to?: number): string[] =>
  miner.lines.slice(from, to).flatMap(({ text }) => SENT.exec(text)?.[1] ?? [])

/** Settles once `count` seals were sent since line `from`. */
async function sealsOf(miner: MinerProcess, count: number, from = 0): Promise<void> {
  while (sealedJobs(miner, from).length < count) await miner.line(SENT, miner.lines.length)
}

/** Ends the miner and waits for its last lines. */
async function ended(miner: MinerProcess): Promise<number> {
  miner.kill()
  return await miner.ended
}

const numbersFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i)

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), "quantus-node-"))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

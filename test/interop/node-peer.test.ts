/** The built miner at a node's miner server in Rust, made of quinn and of the chain's published hash and messages. */
import { afterEach, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { linesOf } from "../../src/host/lines-of.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { freeUdpPort } from "../support/free-port.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { builtPeer, peerMissing } from "./peer.ts"

if (peerMissing) console.log(`skipped: mining for the peer in Rust: ${peerMissing}`)

const DIFFICULTY = 100_000
const SECONDS = 20
/** Beyond every time-out of node, miner and network on the way. */
const SILENT_SECONDS = 75

interface Result {
  readonly event: "result"
  readonly valid: boolean
  readonly nonce_is_work: boolean
  readonly result: { readonly nonce: string; readonly work: string; readonly hash_count: number }
}

interface Summary {
  readonly event: "summary"
  readonly valid: number
  readonly invalid: number
  readonly stale: number
  readonly failed: number
  readonly hashes: number
}

/** On two busy cores; it is built once. */
const BUILD_MS = 600_000

beforeAll(async () => {
  if (!peerMissing) await builtPeer()
}, BUILD_MS)

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test.skipIf(peerMissing !== undefined)("the reference hashes as the chain's crate does", async () => {
  const { stdout } = Bun.spawnSync([await builtPeer(), "vectors", "64"])
  const vectors = stdout.toString().trim().split("\n")
  expect(vectors).toHaveLength(64)
  for (const line of vectors) {
    const { header, nonce, hash } = JSON.parse(line)
    expect(nonceHash(Buffer.from(header, "hex"), Buffer.from(nonce, "hex"))).toEqual(
      new Uint8Array(Buffer.from(hash, "hex")),
    )
  }
})

test.skipIf(peerMissing !== undefined)("every seal of 20 s is valid, and hash counts fit the luck", async () => {
  const { events, ended, serve } = await startPeer(["--difficulty", `${DIFFICULTY}`, "--seconds", `${SECONDS}`])
  const miner = serve()
  await ended
  expect(await miner.stop()).toBe(0)
  const results = events.filter((event): event is Result => event.event === "result")
  const summary = events.at(-1) as Summary
  expect(results.every(({ valid, nonce_is_work }) => valid && nonce_is_work)).toBe(true)
  expect(summary).toMatchObject({ event: "summary", valid: results.length, invalid: 0, stale: 0, failed: 0 })
  expect(new Set(results.map(({ result }) => result.work)).size).toBe(results.length)
  // The tries until a seal vary by as much as their mean, so those of n seals by a part in √n of theirs.
  const luck = (summary.valid * DIFFICULTY) / summary.hashes
  const deviations = Math.abs(1 / luck - 1) * Math.sqrt(summary.valid)
  console.log(`${summary.valid} seals, luck ${luck.toFixed(3)}, ${deviations.toFixed(1)} standard deviations from 1`)
  expect(summary.valid).toBeGreaterThan(10)
  expect(deviations).toBeLessThan(5)
})

test.skipIf(peerMissing !== undefined)("a node that is silent for more than a minute is kept", async () => {
  const { serve } = await startPeer([
    "--difficulty",
    `1${"0".repeat(30)}`,
    "--interval-ms",
    "600000",
    "--seconds",
    "600",
  ])
  const miner = serve()
  await miner.line(/\[job\]/)
  await Bun.sleep(SILENT_SECONDS * 1000)
  expect(miner.text).not.toContain("next attempt")
  expect(await miner.stop()).toBe(0)
})

/** Starts the peer on a free port; `ended` settles when it has come to its own end. */
async function startPeer(args: readonly string[]) {
  const dir = mkdtempSync(join(tmpdir(), "quantus-interop-"))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  const port = await freeUdpPort()
  const peer = Bun.spawn([await builtPeer(), "serve", "--port", `${port}`, "--dir", dir, ...args], {
    stdout: "pipe",
    stderr: "ignore",
  })
  cleanups.push(() => peer.kill())
  const events: { event: string }[] = []
  const listening = Promise.withResolvers<void>()
  const ended = readLines(peer.stdout, line => {
    events.push(JSON.parse(line))
    listening.resolve()
  })
  await Promise.race([listening.promise, ended])
  expect(events[0]).toMatchObject({ event: "listening" })
  const credentials = [
    `--auth-token-file=${dir}/miner-auth-token`,
    `--tls-cert-sha256-file=${dir}/miner-tls-cert-sha256`,
  ]
  const serve = () => {
    const miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${port}`, ...credentials])
    cleanups.push(() => miner.stop())
    return miner
  }
  return { events, ended, serve }
}

async function readLines(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  for await (const line of linesOf(stream)) take(line)
}

/** Frames and messages that no node should send. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { U512_MAX } from "../../src/pow/u512.ts"
import { encodeFrame, FrameDecoder, FrameError, MAX_FRAME_BYTES } from "../../src/sources/quic/frames.ts"
import { newJobMessage, parseNodeMessage } from "../../src/sources/quic/messages.ts"
import { MinerProcess } from "../support/miner-process.ts"
import { figure } from "./figures.ts"
import { isValid, newTestJob, type ScriptedNode, startScriptedNode, type TestPeer } from "./scripted-node.ts"

const SEED = 20261123
const DECODED_FRAMES = 1_000_000
const LIVE_FRAMES = 10_000

let node: ScriptedNode
let miner: MinerProcess
let peer: TestPeer

beforeEach(async () => {
  node = await startScriptedNode()
  miner = new MinerProcess(["serve", "--node-addr", `127.0.0.1:${node.port}`, "--cpu-workers=1", ...node.credentials])
  peer = await node.peer()
})

afterEach(async () => {
  expect(await miner.stop()).toBe(0)
  await node.close()
})

/** Sends a job that any nonce seals and waits for that. */
async function mineOne(at: TestPeer = peer): Promise<void> {
  const job = at.sendJob(1n)
  expect(isValid(job, (await at.resultOf(job.id)).result)).toBe(true)
}

describe("framing", () => {
  test("a job cut in two at any byte is mined", async () => {
    await mineOne()
    let [cut, sealed, length] = [0, 0, Number.POSITIVE_INFINITY]
    while (++cut < length) {
      const job = newTestJob(1n)
      const frame = encodeFrame(newJobMessage(job.id, job.header, 1n))
      length = frame.length
      peer.sendBytes(frame.subarray(0, cut))
      await Bun.sleep(3)
      peer.sendBytes(frame.subarray(cut))
      if (isValid(job, (await peer.resultOf(job.id)).result)) sealed++
    }
    expect([sealed, node.peers.length]).toEqual([length - 1, 1])
    figure("a frame split at every byte", `${sealed} of ${length - 1} cuts mined, on one connection`)
  })

  test("byte by byte, and many frames at once", async () => {
    const job = newTestJob(1n)
    for (const byte of encodeFrame(newJobMessage(job.id, job.header, 1n))) {
      peer.sendBytes(new Uint8Array([byte]))
      await Bun.sleep(1)
    }
    expect(isValid(job, (await peer.resultOf(job.id)).result)).toBe(true)
    const jobs = Array.from({ length: 50 }, () => newTestJob(1n))
    const frames = jobs.map(({ id, header }) => encodeFrame(newJobMessage(id, header, 1n)))
    peer.sendBytes(Buffer.concat(frames))
    const last = jobs.at(-1)!
    expect(isValid(last, (await peer.resultOf(last.id)).result)).toBe(true)
  })

  test("a length over the limit costs the connection, and the next connection works", async () => {
    await mineOne()
    const sentAt = performance.now()
    peer.sendBytes(new Uint8Array([0, 0, 4, 1, 0x7b]))
    await peer.closed()
    const next = await node.peer(1)
    await mineOne(next)
    figure("a frame over the limit", `reconnected after ${(next.openedAt - sentAt).toFixed(0)} ms`)
  })
})

describe("messages", () => {
  test("broken JSON and unknown messages are ignored with one warning each", async () => {
    for (let i = 0; i < 100; i++) {
      peer.send("{nonsense")
      peer.send('{"Ping":{"n":1}}')
      peer.send("")
    }
    await mineOne()
    expect(node.peers).toHaveLength(1)
    expect(miner.lines.filter(({ text }) => text.includes("ignored"))).toHaveLength(2)
  })

  test("unknown fields, 0x and upper case are read over", async () => {
    const job = newTestJob(1n)
    const mining_hash = `0x${job.header.toHex().toUpperCase()}`
    peer.send(JSON.stringify({ NewJob: { job_id: job.id, mining_hash, difficulty: "1", height: 7, x: [] }, y: 1 }))
    expect(isValid(job, (await peer.resultOf(job.id)).result)).toBe(true)
  })

  test("jobs that cannot be mined are answered failed, and the next good one is mined", async () => {
    const good = { mining_hash: "11".repeat(32), difficulty: "1" }
    const bad: [string, object][] = [
      ["difficulty 0", { ...good, difficulty: "0" }],
      ["non-decimal difficulty", { ...good, difficulty: "0x10" }],
      ["empty difficulty", { ...good, difficulty: "" }],
      ["negative difficulty", { ...good, difficulty: "-1" }],
      ["fractional difficulty", { ...good, difficulty: "1.5" }],
      ["difficulty as a number", { ...good, difficulty: 1 }],
      ["difficulty above U512", { ...good, difficulty: (U512_MAX + 1n).toString() }],
      ["difficulty of 300 digits", { ...good, difficulty: "9".repeat(300) }],
      ["no difficulty", { mining_hash: good.mining_hash }],
      ["short hash", { ...good, mining_hash: "11".repeat(31) }],
      ["long hash", { ...good, mining_hash: "11".repeat(33) }],
      ["odd hash", { ...good, mining_hash: `${"11".repeat(31)}1` }],
      ["hash of other letters", { ...good, mining_hash: "zz".repeat(32) }],
      ["no hash", { difficulty: "1" }],
    ]
    for (const [what, fields] of bad) {
      peer.send(JSON.stringify({ NewJob: { job_id: what, ...fields } }))
      const { result } = await peer.resultOf(what)
      expect(result).toMatchObject({ status: "failed", nonce: null, work: null })
      await mineOne()
    }
    expect(node.peers).toHaveLength(1)
    figure("jobs that cannot be mined", `${bad.length} kinds answered failed, each followed by a seal`)
  }, 30_000)
})

describe("fuzzing", () => {
  test("a million frames through the decoder", () => {
    const random = mulberry32(SEED)
    const start = performance.now()
    let [decoder, fed, read, dropped] = [new FrameDecoder(), 0, 0, 0]
    while (fed < DECODED_FRAMES) {
      const frames = Array.from({ length: 64 }, () => fuzzedFrame(random))
      fed += frames.length
      const wire = Buffer.concat(frames)
      try {
        for (let offset = 0; offset < wire.length; ) {
          const size = 1 + Math.floor(random() * 2000)
          for (const json of decoder.push(wire.subarray(offset, offset + size))) {
            read++
            parseNodeMessage(json)
          }
          offset += size
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error
        dropped++
        decoder = new FrameDecoder()
      }
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    figure(
      "fuzzed decoder",
      `${fed} frames in ${seconds} s, ${read} messages read, ${dropped} streams dropped, no crash`,
    )
  }, 120_000)

  test("ten thousand frames through a live connection", async () => {
    await mineOne()
    const random = mulberry32(SEED + 1)
    const memory = miner.memory
    let connections = 1
    for (let fed = 0; fed < LIVE_FRAMES; ) {
      const current = node.peers.at(-1)!
      if (current.closedAt !== undefined) {
        connections++
        await node.peer(connections - 1)
        continue
      }
      // One frame in two thousand announces too much, and costs the connection.
      for (let i = 0; i < 20; i++, fed++)
        current.sendBytes(fed % 2000 === 1999 ? new Uint8Array([9, 9, 9, 9]) : goodLength(random))
      await Bun.sleep(2)
    }
    await Bun.sleep(200)
    const at = node.peers.at(-1)!
    await mineOne(at.closedAt === undefined ? at : await node.peer(node.peers.length))
    const grown = ((miner.memory - memory) / 2 ** 20).toFixed(1)
    figure(
      "fuzzed connection",
      `${LIVE_FRAMES} frames over ${node.peers.length} connections, then a seal; memory changed by ${grown} MiB`,
    )
  }, 120_000)
})

/** A frame of any kind, its length right or wrong. */
function fuzzedFrame(random: () => number): Uint8Array {
  const frame = goodLength(random)
  if (random() < 0.001) frame[2] = 0xff
  return frame
}

/** A frame whose length is right: a good job with some bytes changed, JSON of any kind, or noise. */
function goodLength(random: () => number): Uint8Array {
  const kind = random()
  if (kind < 0.4) {
    const frame = encodeFrame(
      newJobMessage(`fuzz-${Math.floor(random() * 1e6)}`, new Uint8Array(32), BigInt(Math.floor(random() * 1e9))),
    )
    for (let i = 0; i < 3; i++) frame[4 + Math.floor(random() * (frame.length - 4))] = Math.floor(random() * 256)
    return frame
  }
  if (kind < 0.7) return encodeFrame(JSON.stringify(fuzzedValue(random, 3)).slice(0, 300))
  const noise = new Uint8Array(4 + Math.floor(random() * random() * MAX_FRAME_BYTES))
  new DataView(noise.buffer).setUint32(0, noise.length - 4)
  for (let i = 4; i < noise.length; i++) noise[i] = Math.floor(random() * 256)
  return noise
}

const WORDS = [
  "NewJob",
  "job_id",
  "mining_hash",
  "difficulty",
  "Ready",
  "JobResult",
  "x",
  "",
  "__proto__",
  "11".repeat(32),
  "1",
]

function fuzzedValue(random: () => number, depth: number): unknown {
  const word = () => WORDS[Math.floor(random() * WORDS.length)]!
  const kind = random()
  if (depth === 0 || kind < 0.3) return [null, true, 0, -1, 1e300, word(), "\u0000"][Math.floor(random() * 7)]
  if (kind < 0.4) return [fuzzedValue(random, depth - 1)]
  return Object.fromEntries(Array.from({ length: 3 }, () => [word(), fuzzedValue(random, depth - 1)]))
}

/** A small seeded generator, uniform in 0 … 1. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

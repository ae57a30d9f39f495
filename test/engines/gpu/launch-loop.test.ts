/** The loop of a GPU worker on the test's thread, with a device whose hits a test chooses. */
import { describe, expect, test } from "bun:test"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import { launchLoop } from "../../../src/engines/gpu/launch-loop.ts"
import { SALT_BYTES } from "../../../src/engines/threads/base-nonce.ts"
import { SharedMemory } from "../../../src/engines/threads/shared-memory.ts"
import type { Slot } from "../../../src/engines/threads/slot.ts"
import type { SharedWork } from "../../../src/engines/threads/views.ts"
import { bytesToInteger, integerToBytes } from "../../../src/pow/u512.ts"
import { fakeCompute } from "./fake-compute.ts"

const ROWS = 4
const LAUNCH = ROWS * 256

const work = (changes: Partial<SharedWork> = {}): SharedWork => ({
  sequence: 1,
  assignedAt: 0,
  perHash: 1 / 1024,
  top: 0n,
  header: new Uint8Array(32).fill(1),
  prefix: Uint8Array.of(9, 8),
  range: undefined,
  stopAtCandidate: true,
  ...changes,
})

interface Run {
  readonly memory: SharedMemory
  readonly slot: Slot
  readonly nonces: Uint8Array[]
  readonly sleeps: number[]
}

/** Runs the loop until `turns` launches were taken. `before` is called with the number of each launch to be taken. */
function run(
  first: SharedWork,
  isHit: (at: number, t1: number) => boolean,
  turns: number,
  before: (turn: number, memory: SharedMemory) => void = () => {},
  throttleMs = 0,
  isPaused = () => false,
): Run {
  const memory = SharedMemory.create(1)
  const slot = memory.slots[0]!
  slot.reset()
  memory.assign(first)
  const device = new DeviceSearch("opencl", fakeCompute(isHit))
  const nonces: Uint8Array[] = []
  let taken = 0
  const take = device.take.bind(device)
  device.take = launch => {
    before(taken, memory)
    taken += 1
    if (taken >= turns) slot.leave()
    return take(launch)
  }
  const notify = () => {
    for (let found = slot.peek(); found; found = slot.peek()) {
      nonces.push(found.nonce)
      slot.drop()
    }
    if (memory.claimed || slot.drainedAt === memory.version) slot.leave()
  }
  const salt = new Uint8Array(SALT_BYTES).fill(5)
  const sleeps: number[] = []
  const sleep = (ms: number) => void sleeps.push(ms)
  launchLoop({ memory, slot, device, rows: ROWS, throttleMs, sleep, salt, notify, isPaused })
  notify()
  return { memory, slot, nonces, sleeps }
}

test("counts the nonces of whole launches while nothing is found", () => {
  const { slot, nonces } = run(work(), () => false, 5)
  // The worker is asked to leave when the fifth launch is taken. The queued sixth is still awaited and counted.
  expect(slot.hashesOf(1)).toBe(BigInt(6 * LAUNCH))
  expect(slot.expectedSeals).toBeCloseTo(6)
  expect(nonces).toEqual([])
})

test("a paused device finishes its queued launches, and continues with the same work", () => {
  let looks = 0
  const isPaused = () => {
    looks += 1
    return looks > 3 && looks < 10
  }
  const taken: number[] = []
  const { slot } = run(
    work(),
    () => false,
    5,
    () => taken.push(looks),
    0,
    isPaused,
  )
  // Two launches were queued and one settled; the other is settled during the pause, and the third after it.
  expect(taken.slice(0, 2).every(look => look <= 5)).toBe(true)
  expect(taken[2]).toBeGreaterThanOrEqual(10)
  expect(slot.hashesOf(1)).toBe(BigInt(6 * LAUNCH))
})

test("counts up to the hit that ends a search, and nothing queued after it", () => {
  const { slot, nonces, memory } = run(work(), row => row === 5, 100)
  expect(memory.claimed).toBe(true)
  expect(nonces).toHaveLength(1)
  expect([...nonces[0]!.subarray(0, 2)]).toEqual([9, 8])
  expect(slot.hashesOf(1)).toBe(BigInt(LAUNCH + 256 + 1))
  expect(slot.hashes).toBe(BigInt(3 * LAUNCH))
})

test("reports every hit if the search continues", () => {
  const hits = (row: number, t1: number) => row < 8 && t1 === 7
  const { slot, nonces } = run(work({ stopAtCandidate: false }), hits, 4)
  expect(nonces).toHaveLength(8)
  expect(new Set(nonces.map(nonce => nonce.toHex())).size).toBe(8)
  expect(slot.hashesOf(1)).toBe(BigInt(5 * LAUNCH))
})

test("launches queued for replaced work finish, but are neither counted nor reported", () => {
  const replaced = work({ sequence: 2, stopAtCandidate: false })
  const { slot, nonces } = run(
    work({ stopAtCandidate: false }),
    (row, t1) => row === 0 && t1 === 0,
    3,
    (turn, memory) => turn === 0 && memory.assign(replaced),
  )
  expect(slot.sequence).toBe(2)
  expect(slot.hashesOf(2)).toBe(BigInt(2 * LAUNCH))
  expect(nonces).toHaveLength(1)
  expect(slot.hashes).toBe(BigInt(4 * LAUNCH))
})

test("a resumed search begins another plane, so that a plane that was prepared wrongly costs one candidate", () => {
  const { nonces } = run(
    work({ stopAtCandidate: false }),
    (row, t1) => row === 0 && t1 === 0,
    3,
    (turn, memory) => turn === 0 && memory.reopen(),
  )
  expect(nonces).toHaveLength(1)
})

test("launches are small if nearly every nonce is a candidate", () => {
  const { slot } = run(work({ top: 2n ** 64n - 1n }), () => false, 2)
  expect(slot.hashesOf(1)).toBe(3n * 256n)
})

test("a throttled device pauses after every launch and signals progress", () => {
  const { slot, sleeps } = run(
    work(),
    () => false,
    3,
    () => {},
    120,
  )
  // The worker is asked to leave when the third launch is taken.
  expect(sleeps).toEqual([50, 50, 20, 50, 50, 20])
  expect(slot.hashesOf(1)).toBe(BigInt(3 * LAUNCH))
})

describe("a range", () => {
  const first = 2n ** 32n - 5000n
  const last = first + 9999n
  const range = { first: integerToBytes(first), last: integerToBytes(last) }

  test("is searched exactly across a carry out of the last four bytes", () => {
    const { slot, nonces } = run(work({ range, stopAtCandidate: false }), () => true, 1000)
    const found = nonces.map(bytesToInteger)
    expect(found).toHaveLength(10_000)
    expect([found[0], found.at(-1)]).toEqual([first, last])
    expect(new Set(found).size).toBe(10_000)
    expect(slot.hashesOf(1)).toBe(10_000n)
  })

  test("ends at its candidate", () => {
    const { slot, nonces } = run(work({ range }), at => at === 2 ** 32 - 4000, 1000)
    expect(nonces.map(bytesToInteger)).toEqual([2n ** 32n - 4000n])
    expect(slot.hashesOf(1)).toBe(1001n)
  })
})

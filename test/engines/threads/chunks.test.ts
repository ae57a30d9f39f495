import { describe, expect, test } from "bun:test"
import { currentChunk } from "../../../src/engines/threads/chunks.ts"
import { CHUNK, chunkOf } from "../../../src/engines/threads/range.ts"
import { SharedMemory } from "../../../src/engines/threads/shared-memory.ts"
import { bytesToInteger, integerToBytes } from "../../../src/pow/u512.ts"

const RANGE = { first: BigInt(CHUNK) - 100n, last: 3n * BigInt(CHUNK) + 99n }
const NONCES = Number(RANGE.last - RANGE.first) + 1
const SEQUENCE = 70_000
const ROW = 1024
const NONE = new Uint32Array(0)
const bounds = (chunk: bigint) => chunkOf(RANGE, chunk)

function assigned(sequence = SEQUENCE) {
  const memory = SharedMemory.create(3)
  for (const slot of memory.slots) slot.reset()
  memory.assign({
    sequence,
    assignedAt: 0,
    perHash: 1,
    top: 0n,
    header: new Uint8Array(32),
    prefix: new Uint8Array(0),
    range: { first: integerToBytes(RANGE.first), last: integerToBytes(RANGE.last) },
    stopAtCandidate: false,
  })
  return memory
}

/** Searches until the range has no chunk left for the slot or it is to leave, and adds each nonce that it finished. */
function search(memory: SharedMemory, index: number, finished: bigint[]): void {
  const slot = memory.slots[index]!
  for (;;) {
    const chunk = slot.leaving ? undefined : currentChunk({ memory, slot }, SEQUENCE, RANGE)
    if (!chunk) return
    while (chunk.left > 0 && !slot.leaving) {
      const count = Math.min(ROW, chunk.left)
      const first = bytesToInteger(chunk.base) + BigInt(chunk.first) - (bytesToInteger(chunk.base) % 2n ** 32n)
      if (!chunk.tested(count, NONE).done(count)) break
      for (let i = 0; i < count; i++) finished.push(first + BigInt(i))
    }
  }
}

/** The engine's part: takes what slot 0 left and gives it to slot 1, which searches it. */
function inherit(memory: SharedMemory, finished: bigint[]): void {
  memory.slots[0]!.leave()
  search(memory, 1, finished)
  const left = memory.reclaim(memory.slots[0]!, SEQUENCE, bounds)
  if (!left) return
  expect(memory.slots[1]!.give(left)).toBe(true)
  search(memory, 1, finished)
}

const OPERATIONS = ["load", "store", "add", "compareExchange"] as const

/** Runs `body`, and `at` right before its atomic operation number `n`. @returns false if there are fewer operations */
function interrupted(n: number, body: () => void, at: () => void): boolean {
  const originals = Object.fromEntries(OPERATIONS.map(name => [name, Atomics[name]]))
  const restore = () => Object.assign(Atomics, originals)
  let count = 0
  for (const name of OPERATIONS) {
    const original = originals[name] as (...args: unknown[]) => unknown
    const counted = (...args: unknown[]) => {
      if (count++ === n) {
        restore()
        at()
      }
      return original(...args)
    }
    Object.assign(Atomics, { [name]: counted })
  }
  try {
    body()
  } finally {
    restore()
  }
  return count > n
}

class Death extends Error {}

/** @throws the error of `body` unless it is the worker's death */
function mortal(body: () => void): void {
  try {
    body()
  } catch (error) {
    if (!(error instanceof Death)) throw error
  }
}

function expectEachOnce(finished: readonly bigint[], step: number): void {
  const sorted = [...finished].sort((a, b) => (a < b ? -1 : 1))
  const isExact = sorted.length === NONCES && sorted.every((nonce, i) => nonce === RANGE.first + BigInt(i))
  if (!isExact) throw new Error(`step ${step}: ${sorted.length} nonces, ${new Set(sorted).size} distinct, of ${NONCES}`)
}

/** Calls `scenario` for every atomic operation of a worker that searches the range alone. */
function atEveryStep(scenario: (step: number, memory: SharedMemory, finished: bigint[]) => boolean): void {
  for (let step = 0; ; step++) {
    const finished: bigint[] = []
    const memory = assigned()
    const happened = scenario(step, memory, finished)
    expectEachOnce(finished, step)
    if (!happened) {
      expect(step).toBeGreaterThan(5)
      return
    }
  }
}

describe("every nonce of a range is finished once if a worker", () => {
  test("dies at any atomic operation", () => {
    atEveryStep((step, memory, finished) => {
      const die = () => {
        throw new Death()
      }
      let happened = false
      mortal(() => {
        happened = true
        happened = interrupted(step, () => search(memory, 0, finished), die)
      })
      inherit(memory, finished)
      return happened
    })
  })

  test("stalls at any atomic operation while another one searches, and then dies", () => {
    atEveryStep((step, memory, finished) => {
      let happened = false
      mortal(() => {
        happened = true
        happened = interrupted(
          step,
          () => search(memory, 0, finished),
          () => {
            search(memory, 2, finished)
            throw new Death()
          },
        )
      })
      inherit(memory, finished)
      return happened
    })
  })

  test("stalls at any atomic operation while another one searches, and then continues", () => {
    atEveryStep((step, memory, finished) => {
      const happened = interrupted(
        step,
        () => search(memory, 0, finished),
        () => search(memory, 2, finished),
      )
      inherit(memory, finished)
      return happened
    })
  })

  test("stalls at any atomic operation, is replaced, and then continues", () => {
    atEveryStep((step, memory, finished) => {
      const happened = interrupted(
        step,
        () => search(memory, 0, finished),
        () => inherit(memory, finished),
      )
      inherit(memory, finished)
      return happened
    })
  })

  test("dies at any atomic operation in a chunk that it was given", () => {
    atEveryStep((step, memory, finished) => {
      const [first] = memory.slots
      // Slot 2 leases the first chunk and is reclaimed; the others are searched.
      currentChunk({ memory, slot: memory.slots[2]! }, SEQUENCE, RANGE)
      search(memory, 1, finished)
      expect(first!.give(memory.reclaim(memory.slots[2]!, SEQUENCE, bounds)!)).toBe(true)
      let happened = false
      mortal(() => {
        happened = true
        happened = interrupted(
          step,
          () => search(memory, 0, finished),
          () => {
            throw new Death()
          },
        )
      })
      inherit(memory, finished)
      return happened
    })
  })
})

test("chunks are leased in order, and only of the current range", () => {
  const memory = assigned(SEQUENCE)
  const [slot] = memory.slots
  const lease = (sequence: number) => memory.lease(slot!, sequence, bounds)
  expect(lease(SEQUENCE)).toEqual({ sequence: SEQUENCE, chunk: 0n, offset: CHUNK - 100 })
  expect(lease(SEQUENCE)).toEqual({ sequence: SEQUENCE, chunk: 1n, offset: 0 })
  expect(lease(SEQUENCE + 1)).toBeUndefined()
  memory.assign({ ...memory.read(memory.version)!, sequence: SEQUENCE + 1 })
  expect(slot!.progress(SEQUENCE + 1)).toBeUndefined()
  expect(lease(SEQUENCE + 1)).toMatchObject({ chunk: 0n })
})

test("a place of the largest chunk number is kept exactly", () => {
  const [slot] = assigned().slots
  const place = { sequence: 2 ** 40 + 511, chunk: 2n ** 41n - 1n, offset: CHUNK }
  slot!.intend(place.sequence, place.chunk)
  expect(slot!.intention(place.sequence)).toBe(place.chunk)
  expect(slot!.begin(place)).toBe(true)
  expect(slot!.progress(place.sequence)).toEqual(place)
  expect(slot!.progress(place.sequence + 1)).toBeUndefined()
})

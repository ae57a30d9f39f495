import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { createKernel } from "../../../src/engines/cpu/kernels.ts"
import { type SearchOptions, searchLoop } from "../../../src/engines/cpu/search-loop.ts"
import { baseNonce } from "../../../src/engines/threads/base-nonce.ts"
import { SharedMemory } from "../../../src/engines/threads/shared-memory.ts"
import type { SharedWork } from "../../../src/engines/threads/views.ts"
import { ROW } from "../../../src/kernel/kernel.ts"
import { spongeBeforeLast } from "../../../src/kernel/nonce-plane.ts"
import { permute } from "../../../src/pow/poseidon2.ts"
import { targetOf, verifySeal } from "../../../src/pow/target.ts"
import { bytesToInteger, integerToBytes, U512_MAX } from "../../../src/pow/u512.ts"
import { refusalOf } from "../../support/kernels.ts"
import { type ToyHooks, ToyKernel } from "../../support/toy-kernel.ts"

// Thousands of works, each with a midstate, on a machine that may be busy with other things.
setDefaultTimeout(60_000)

const salt = new Uint8Array(24).fill(7)

function work(sequence: number, difficulty: number, more: Partial<SharedWork> = {}): SharedWork {
  return {
    sequence,
    assignedAt: 0,
    perHash: 1 / difficulty,
    top: (2n ** 64n - 1n) / BigInt(difficulty),
    header: new Uint8Array(32),
    prefix: new Uint8Array(0),
    range: undefined,
    stopAtCandidate: true,
    ...more,
  }
}

const range = (first: bigint, last: bigint) => ({ first: integerToBytes(first), last: integerToBytes(last) })

/** A worker in this thread: `hooks` play the engine and the other workers, and must make it leave some time. */
function setUp(hooks: ToyHooks, options: { slots?: number; seed?: number } = {}) {
  const memory = SharedMemory.create(options.slots ?? 2)
  for (const slot of memory.slots) slot.reset()
  const slot = memory.slots[0]!
  const notified: number[] = []
  const kernel = new ToyKernel(hooks, options.seed)
  const search: SearchOptions = { memory, slot, kernel, salt, notify: () => notified.push(1) }
  return { memory, slot, other: memory.slots[1]!, notified, run: () => searchLoop(search) }
}

function candidates(slot: SharedMemory["slots"][number]): { sequence: number; nonce: bigint }[] {
  const found: { sequence: number; nonce: bigint }[] = []
  for (let next = slot.peek(); next; next = slot.peek()) {
    found.push({ sequence: next.sequence, nonce: bytesToInteger(next.nonce) })
    slot.drop()
  }
  return found
}

describe("what counts", () => {
  test("rows without a hit count completely, the row that ends the search up to its hit", () => {
    const rows: number[] = []
    const { memory, slot, notified, run } = setUp({
      row: t0 => {
        rows.push(t0)
        if (rows.length > 1000) slot.leave()
      },
    })
    const sleep = memory.sleep.bind(memory)
    memory.sleep = version => (memory.claimed ? slot.leave() : sleep(version))
    memory.assign(work(1, 3000))
    run()
    expect(candidates(slot)).toHaveLength(1)
    expect(notified).toHaveLength(1)
    const counted = slot.hashesOf(1)
    expect(slot.hashes).toBe(BigInt(rows.length * ROW))
    expect(counted > slot.hashes - BigInt(ROW) && counted <= slot.hashes).toBe(true)
    expect(slot.expectedSeals).toBeCloseTo(Number(counted) / 3000, 9)
  })

  test("a row that ends after another worker's claim neither counts nor reports", () => {
    const { memory, slot, run } = setUp({
      row: t0 => {
        if (t0 === 3) memory.admit(memory.version, true)
        if (t0 === 3) slot.leave()
      },
    })
    memory.assign(work(1, 1))
    memory.assign(work(2, 1e15))
    run()
    expect(slot.hashesOf(2)).toBe(BigInt(3 * ROW))
    expect(slot.hashes).toBe(BigInt(4 * ROW))
    expect(candidates(slot)).toEqual([])
  })

  test("a row during which the work is replaced counts for neither work", () => {
    let done = false
    const { memory, slot, run } = setUp({
      row: () => {
        if (done) return slot.leave()
        done = true
        memory.assign(work(2, 1e15))
      },
    })
    memory.assign(work(1, 1))
    run()
    expect(candidates(slot)).toEqual([])
    expect(slot.hashesOf(1)).toBe(0n)
    expect(slot.hashes).toBe(BigInt(2 * ROW))
  })

  test("a row is admitted before its hit is handled", () => {
    const { memory, slot, run } = setUp({})
    const write = slot.write.bind(slot)
    let late: boolean | undefined
    slot.write = (sequence, nonce) => {
      late = memory.admit(memory.version, true)
      write(sequence, nonce)
    }
    memory.sleep = () => slot.leave()
    memory.assign(work(1, 300))
    run()
    expect(late).toBe(false)
    expect(candidates(slot)).toHaveLength(1)
    expect(slot.hashesOf(1)).toBeGreaterThan(0n)
  })

  test("hash counts agree with luck, however often the search stops", () => {
    const difficulty = 1000
    let hits = 0
    let counted = 0n
    let sequence = 0
    const { memory, slot, run } = setUp({}, { seed: 5 })
    memory.sleep = () => {
      if (sequence > 0) {
        hits += candidates(slot).length
        counted += slot.hashesOf(sequence)
      }
      if (sequence === 3000) slot.leave()
      else memory.assign(work(++sequence, difficulty))
    }
    run()
    expect(hits).toBe(3000)
    // The count is a sum of 3000 geometric variables of mean and deviation 1000.
    const deviations = (Number(counted) / difficulty - hits) / Math.sqrt(hits)
    expect(Math.abs(deviations)).toBeLessThan(3)
    expect(slot.expectedSeals).toBeCloseTo(Number(counted) / difficulty, 6)
  })

  test.each([true, false])(
    "hash counts agree with luck in works that are replaced, ending at a hit: %p",
    stopAtCandidate => {
      const difficulty = 1000
      let [sequence, hits, rows] = [0, 0, 0]
      const next = () => {
        hits += candidates(slot).length
        memory.assign(work(++sequence, difficulty, { stopAtCandidate }))
      }
      const { memory, slot, run } = setUp(
        {
          row: () => {
            if (++rows === 12_000) return slot.leave()
            // Now and then in a row, whatever comes of it.
            if ((rows * 2_654_435_761) % 2 ** 32 < 2 ** 30) next()
          },
        },
        { seed: 7 },
      )
      memory.sleep = next
      next()
      run()
      hits += candidates(slot).length
      expect(sequence).toBeGreaterThan(2500)
      expect(Math.abs(slot.expectedSeals - hits) / Math.sqrt(hits)).toBeLessThan(3)
    },
  )
})

describe("a search that continues after hits", () => {
  test("every hit is reported, also if the ring is full", () => {
    let rows = 0
    const found: bigint[] = []
    const { memory, slot, run } = setUp({ row: () => ++rows === 3 && slot.leave() })
    const wait = slot.awaitRoom.bind(slot)
    slot.awaitRoom = () => {
      found.push(...candidates(slot).map(({ nonce }) => nonce))
      wait()
    }
    memory.assign(work(1, 1, { stopAtCandidate: false }))
    run()
    found.push(...candidates(slot).map(({ nonce }) => nonce))
    expect(new Set(found).size).toBe(found.length)
    // Leaving with a full ring, the worker drops what is behind the last hit it could report, and does not count it.
    expect(found.length).toBe(Number(slot.hashesOf(1)))
    expect(found.length).toBeGreaterThanOrEqual(2 * ROW)
  })

  test("the count ends at the last reported hit", () => {
    const { memory, slot, run } = setUp({})
    slot.awaitRoom = () => slot.leave()
    memory.assign(work(1, 4, { stopAtCandidate: false }))
    run()
    const reported = candidates(slot)
    expect(reported).toHaveLength(32)
    expect(slot.hashesOf(1) < slot.hashes).toBe(true)
  })

  test("hash counts agree with luck if a work's hits fill the ring and are not taken", () => {
    const [difficulty, works] = [300, 2000]
    let [hits, counted, sequence] = [0, 0n, 0]
    const { memory, slot, run } = setUp({}, { seed: 6 })
    const next = () => {
      hits += candidates(slot).length
      counted += slot.hashesOf(sequence)
      if (sequence === works) slot.leave()
      else memory.assign(work(++sequence, difficulty, { stopAtCandidate: false }))
    }
    slot.awaitRoom = next
    memory.assign(work(++sequence, difficulty, { stopAtCandidate: false }))
    run()
    expect(hits).toBe(32 * works)
    const deviations = (Number(counted) / difficulty - hits) / Math.sqrt(hits)
    expect(Math.abs(deviations)).toBeLessThan(3)
  })
})

describe("nonces", () => {
  test("never repeat, with the same header or another worker in the slot", () => {
    const memory = SharedMemory.create(1)
    const slot = memory.slots[0]!
    const seen: bigint[] = []
    let sequence = 0
    for (let worker = 0; worker < 3; worker++) {
      slot.reset()
      const stopAt = sequence + 10
      memory.assign(null)
      memory.sleep = () => {
        seen.push(...candidates(slot).map(({ nonce }) => nonce))
        if (sequence === stopAt) slot.leave()
        else memory.assign(work(++sequence, 1))
      }
      searchLoop({ memory, slot, kernel: new ToyKernel(), salt, notify: () => {} })
    }
    expect(seen).toHaveLength(30)
    expect(new Set(seen).size).toBe(30)
  })

  test("begin with the work's prefix", () => {
    const { memory, slot, run } = setUp({})
    memory.sleep = () => slot.leave()
    memory.assign(work(1, 1, { prefix: Uint8Array.of(0xde, 0xad, 0xbe, 0xef) }))
    run()
    expect(candidates(slot)[0]!.nonce >> 480n).toBe(0xdeadbeefn)
  })

  test("a resumed search begins another plane, so that a plane that was prepared wrongly costs one candidate", () => {
    const prepared = new Set<string>()
    const rows: number[] = []
    const { memory, slot, run } = setUp({
      preparePlane: state => prepared.add(state.join()),
      row: t0 => rows.push(t0),
    })
    let naps = 0
    memory.sleep = () => (++naps === 5 ? slot.leave() : memory.reopen())
    memory.assign(work(1, 1))
    run()
    expect(prepared.size).toBe(5)
    expect(rows).toEqual([0, 0, 0, 0, 0])
  })
})

describe("midstates", () => {
  const exact = (header: Uint8Array, nonce: Uint8Array) =>
    spongeBeforeLast(header, nonce, state => state.set(permute([...state])))

  test("are the specification's, although the kernel's permutation is wrong", () => {
    const header = new Uint8Array(32).fill(9)
    const states: BigUint64Array[] = []
    const keep = (state: BigUint64Array) => states.push(state)
    const { memory, slot, run } = setUp({ preparePlane: keep, prepareRange: keep, row: () => slot.leave() })
    const next = [work(2, 1, { header })]
    memory.sleep = () => memory.assign(next.shift()!)
    memory.assign(work(1, 1, { header, range: range(5000n, 5001n) }))
    run()
    const base = baseNonce(new Uint8Array(0), salt, slot.index, 0n)
    expect(states).toEqual([exact(header, new Uint8Array(64)), exact(header, base)])
  })

  const refusal = refusalOf("avx512")
  test.skipIf(refusal !== undefined)(
    `are right for a header for which the permutation of avx512 drops a carry${refusal ? ` (skipped: ${refusal})` : ""}`,
    () => {
      const header = new Uint8Array(32)
      new DataView(header.buffer).setUint32(0, 1_989_697, true)
      const difficulty = 500
      const memory = SharedMemory.create(1)
      const slot = memory.slots[0]!
      slot.reset()
      const nonces: Uint8Array[] = []
      memory.sleep = () => slot.leave()
      memory.assign(work(1, difficulty, { header }))
      const kernel = createKernel("avx512")
      searchLoop({ memory, slot, kernel, salt, notify: () => nonces.push(slot.peek()!.nonce) })
      kernel.close()
      expect(nonces).toHaveLength(1)
      expect(verifySeal(header, nonces[0]!, targetOf(BigInt(difficulty)))).toBeDefined()
    },
  )
})

describe("ranges", () => {
  /** Runs one worker over a range, all nonces hits; returns the nonces in the order of the reports. */
  function walk(first: bigint, last: bigint, stopAtCandidate = false): bigint[] {
    const found: bigint[] = []
    const { memory, slot, run } = setUp({})
    const collect = () => found.push(...candidates(slot).map(({ nonce }) => nonce))
    slot.awaitRoom = collect
    memory.sleep = version => {
      collect()
      if (slot.drainedAt === version) slot.leave()
      else memory.reopen()
    }
    memory.assign(work(1, 1, { range: range(first, last), stopAtCandidate }))
    run()
    expect(slot.hashesOf(1)).toBe(BigInt(found.length))
    return found
  }

  const cases: [what: string, first: bigint, last: bigint][] = [
    ["one nonce", 77n, 77n],
    ["the last nonce of all", U512_MAX, U512_MAX],
    ["inside a row", 1000n, 1100n],
    ["over the last four bytes' end", 2n ** 32n - 300n, 2n ** 32n + 300n],
    ["over the end of the second half", 2n ** 256n - 5000n, 2n ** 256n + 5000n],
    ["whole chunks", 4096n, 3n * 4096n - 1n],
  ]
  for (const [what, first, last] of cases) {
    test(`${what}: each nonce once and none outside`, () => {
      const expected = Array.from({ length: Number(last - first) + 1 }, (_, i) => first + BigInt(i))
      expect(walk(first, last)).toEqual(expected)
    })
  }

  test("resumed after every candidate: each nonce once", () => {
    expect(walk(4000n, 4300n, true)).toEqual(Array.from({ length: 301 }, (_, i) => BigInt(4000 + i)))
  })

  test("a new midstate only if the first 60 bytes change", () => {
    let prepared = 0
    const { memory, slot, run } = setUp({ prepareRange: () => prepared++ })
    memory.sleep = () => slot.leave()
    memory.assign(work(1, 1e15, { range: range(2n ** 32n - 9000n, 2n ** 32n + 9000n) }))
    run()
    expect(prepared).toBe(2)
  })

  test("the whole nonce space is taken up and left immediately", () => {
    let rows = 0
    const { memory, slot, run } = setUp({ range: () => ++rows === 40 && memory.assign(null) })
    memory.sleep = () => slot.leave()
    memory.assign(work(1, 1e15, { range: range(0n, U512_MAX) }))
    run()
    expect(rows).toBe(40)
  })

  test("the rest of a chunk that the engine gave a worker is searched from the same offset", () => {
    const calls: [number, number][] = []
    const { memory, slot, other, run } = setUp({ range: (first, count) => calls.push([first, count]) })
    memory.assign(work(1, 1e15, { range: range(0n, 2n * 4096n - 1n) }))
    const leased = memory.lease(other, 1, () => ({ begin: 0, end: 4096 }))!
    expect(other.advance(leased, 3000)).toBe(true)
    expect(slot.give(memory.reclaim(other, 1, () => ({ begin: 0, end: 4096 }))!)).toBe(true)
    memory.sleep = () => slot.leave()
    run()
    const tested = calls.reduce((sum, [, count]) => sum + count, 0)
    expect(calls[0]![0]).toBe(3000)
    expect(tested).toBe(2 * 4096 - 3000)
    expect(other.progress(1)).toBeUndefined()
  })

  test.each([
    ["nothing", 1e15, 0],
    ["candidates", 32, 1],
  ])("a worker whose chunk was reclaimed counts no more of it after finding %s", (_, difficulty, least) => {
    let rows = 0
    const found: bigint[] = []
    const { memory, slot, run } = setUp({
      range: () => {
        found.push(...candidates(slot).map(({ nonce }) => nonce))
        rows++
        if (rows === 3) slot.takeChunk(slot.progress(1)!)
      },
    })
    memory.sleep = () => slot.leave()
    memory.assign(work(1, difficulty, { range: range(0n, 4095n), stopAtCandidate: false }))
    run()
    expect(rows).toBe(3)
    expect(slot.hashesOf(1)).toBe(BigInt(2 * ROW))
    expect(found.length).toBeGreaterThanOrEqual(least)
    expect(candidates(slot)).toEqual([])
  })
})

import { afterAll, describe, expect, spyOn, test } from "bun:test"
import { SharedMemory } from "../../../src/engines/threads/shared-memory.ts"
import type { SharedWork } from "../../../src/engines/threads/views.ts"

function work(sequence: number, more: Partial<SharedWork> = {}): SharedWork {
  return {
    sequence,
    assignedAt: sequence / 2,
    perHash: 1 / sequence,
    top: BigInt(sequence) << 20n,
    header: new Uint8Array(32).fill(sequence),
    prefix: new Uint8Array(sequence % 17).fill(sequence + 1),
    range: undefined,
    stopAtCandidate: sequence % 2 === 0,
    ...more,
  }
}

describe("the work", () => {
  test("is read as it was assigned", () => {
    const memory = SharedMemory.create(1)
    const range = { first: new Uint8Array(64).fill(3), last: new Uint8Array(64).fill(4) }
    for (const assigned of [work(1), work(2 ** 40, { range }), work(16), work(5, { prefix: new Uint8Array(0) })]) {
      memory.assign(assigned)
      expect(memory.read(memory.version)).toEqual(assigned)
    }
    memory.assign(null)
    expect(memory.read(memory.version)).toBeNull()
  })

  test("is written and read by atomic accesses only, which alone are ordered on every processor", () => {
    const memory = SharedMemory.create(1)
    memory.assign(work(1))
    const bytes = () => [...new Uint8Array(memory.buffer)]
    const before = bytes()
    const [store, load] = [spyOn(Atomics, "store"), spyOn(Atomics, "load")]
    try {
      store.mockImplementation(() => 0 as never)
      memory.assign(work(2))
      expect(bytes()).toEqual(before)
      load.mockImplementation(() => 0 as never)
      expect(memory.read(0)).toBeNull()
    } finally {
      store.mockRestore()
      load.mockRestore()
    }
  })

  test("of an older version is undefined", () => {
    const memory = SharedMemory.create(1)
    memory.assign(work(1))
    const { version } = memory
    memory.assign(work(2))
    expect(memory.read(version)).toBeUndefined()
  })

  test("is read completely or not at all while another thread writes", async () => {
    const memory = SharedMemory.create(1)
    const worker = new Worker(new URL("./writer.ts", import.meta.url))
    afterAll(() => worker.terminate())
    worker.postMessage(memory.buffer)
    let whole = 0
    let last = 0
    while (last < 20_000) {
      const { version } = memory
      const read = memory.read(version)
      if (!read) {
        await new Promise(setImmediate)
        continue
      }
      last = read.sequence
      whole++
      const byte = read.sequence & 0xff
      if (read.header.some(x => x !== byte) || read.top !== BigInt(read.sequence)) throw new Error("torn")
    }
    expect(whole).toBeGreaterThan(0)
  })
})

describe("the winner", () => {
  test("is unique and belongs to the current work", () => {
    const memory = SharedMemory.create(1)
    memory.assign(work(1))
    const old = memory.version
    memory.assign(work(2))
    expect(memory.admit(old, true)).toBe(false)
    expect(memory.claimed).toBe(false)
    expect(memory.admit(memory.version, true)).toBe(true)
    expect(memory.admit(memory.version, true)).toBe(false)
    expect(memory.claimed).toBe(true)
    expect(memory.isOpen(memory.version)).toBe(false)
    memory.reopen()
    expect(memory.claimed).toBe(false)
    expect(memory.read(memory.version)).toEqual(work(2))
  })
})

describe("a slot", () => {
  test("counts for the current work and in total", () => {
    const memory = SharedMemory.create(1)
    const slot = memory.slots[0]!
    slot.take(work(4))
    slot.addHashes(256)
    slot.count(work(4), 100)
    slot.take(work(4))
    slot.addHashes(256)
    slot.count(work(4), 256)
    expect([slot.hashes, slot.hashesOf(4), slot.hashesOf(5), slot.expectedSeals]).toEqual([512n, 356n, 0n, 89])
    slot.take(work(5))
    expect([slot.hashes, slot.hashesOf(4), slot.hashesOf(5), slot.sequence]).toEqual([512n, 0n, 0n, 5])
  })

  test("has a ring that keeps order and reports when it is full, across its end", () => {
    const slot = SharedMemory.create(1).slots[0]!
    const nonce = (i: number) => new Uint8Array(64).fill(i)
    let written = 0
    let read = 0
    for (let round = 0; round < 10; round++) {
      for (; slot.hasRoom; written++) {
        slot.write(written, nonce(written))
        // Only the first after the engine has seen all needs a message.
        expect(slot.publish()).toBe(written === read)
      }
      expect(written - read).toBe(32)
      for (let i = 0; i < 20 + round; i++, read++) {
        expect(slot.peek()).toEqual({ sequence: read, nonce: nonce(read) })
        slot.drop()
      }
      while (written - read > 0 && round % 2) {
        slot.drop()
        read++
      }
    }
  })

  test("returns each plane once, also after a reset", () => {
    const slot = SharedMemory.create(1).slots[0]!
    const planes = [slot.nextPlane(), slot.nextPlane()]
    slot.reset()
    planes.push(slot.nextPlane())
    expect(planes).toEqual([0n, 1n, 2n])
  })
})

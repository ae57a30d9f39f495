import { beforeEach, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { U512_MAX } from "../../../src/pow/u512.ts"
import { defaultLimits, JobQueue, KnownJob, QueueFull } from "../../../src/sources/api/job-queue.ts"
import type { Job } from "../../../src/sources/source.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { headerOf, sealOf } from "../recorder.ts"

let clock: FakeClock
let queue: JobQueue
let slices: Job[]
let idles: number

beforeEach(() => {
  clock = new FakeClock()
  slices = []
  idles = 0
  queue = newQueue()
})

function newQueue(limits = defaultLimits) {
  const events = { search: (slice: Job) => void slices.push(slice), idle: () => void idles++ }
  return new JobQueue("http://test", clock, events, limits)
}

const request = (id: string, first = 0n, last = U512_MAX) => ({
  id,
  header: headerOf(id.length),
  difficulty: 5n,
  range: { first, last },
})

const current = () => slices.at(-1)!

/** Exhausts the current slice at a million nonces per second. */
function exhaust(): void {
  const slice = current()
  const hashes = slice.range!.last - slice.range!.first + 1n
  queue.exhausted(slice, hashes, Number(hashes) / 1e6)
}

describe("a range", () => {
  const edges = fc.constantFrom(0n, 2n ** 32n - 1n, 2n ** 64n - 1n, 2n ** 256n - 5n, U512_MAX - 3_000_000n)

  test("is searched exactly, each nonce once, for any slice sizes", () => {
    fc.assert(
      fc.property(edges, fc.bigInt({ min: 0n, max: 3_000_000n }), (first, length) => {
        slices = []
        const queue = newQueue()
        queue.add(request("a", first, first + length))
        let next = first
        while (queue.result("a")!.status === "running") {
          const slice = current()
          expect(slice.range!.first).toBe(next)
          next = slice.range!.last + 1n
          queue.exhausted(slice, next - slice.range!.first, 0.01)
        }
        expect(next).toBe(first + length + 1n)
        expect(queue.result("a")).toMatchObject({ status: "failed", hash_count: Number(length) + 1 })
      }),
    )
  })

  test("of one nonce is one slice", () => {
    queue.add(request("a", 7n, 7n))
    expect(current().range).toEqual({ first: 7n, last: 7n })
    exhaust()
    expect(queue.result("a")).toMatchObject({ status: "failed", hash_count: 1, nonce: null })
    expect(idles).toBe(1)
  })

  test("of the maximum size is searched in slices of about two seconds", () => {
    queue.add(request("a"))
    for (let i = 0; i < 5; i++) exhaust()
    const { first, last } = current().range!
    expect(Number(last - first)).toBeWithin(1_900_000, 2_100_000)
  })

  test("is sliced within bounds if the measured time is zero", () => {
    queue.add(request("a"))
    for (let i = 0; i < 50; i++) queue.exhausted(current(), 1n, 0)
    expect(current().range!.last).toBeLessThan(U512_MAX)
  })
})

describe("turns", () => {
  test("rotate", () => {
    for (const id of ["a", "b", "c"]) queue.add(request(id))
    for (let i = 0; i < 6; i++) exhaust()
    expect(slices.map(({ id }) => id).join("")).toBe("abcabca")
  })

  test("let a small job finish although a huge one came first", () => {
    queue.add(request("endless"))
    queue.add(request("small", 1n, 1000n))
    exhaust()
    exhaust()
    expect(queue.result("small")!.status).toBe("failed")
    expect(queue.result("endless")!.status).toBe("running")
  })

  test("add the hashes of all slices and of the seal", () => {
    queue.add(request("a"))
    exhaust()
    const before = queue.result("a")!.hash_count
    const seal = sealOf(current())
    expect(queue.seal(seal)).toBe(true)
    expect(queue.result("a")).toMatchObject({ status: "completed", hash_count: before + 10 })
    expect(queue.result("a")!.nonce).toBe(seal.nonce.toHex())
    expect(queue.result("a")!.work).toBe(seal.nonce.toHex())
  })
})

describe("cancel", () => {
  test("of the running job starts the next one synchronously", () => {
    queue.add(request("a"))
    queue.add(request("b"))
    expect(queue.cancel("a")).toBe(true)
    expect(current().id).toBe("b")
    expect(queue.cancel("b")).toBe(true)
    expect(idles).toBe(1)
  })

  test("of a waiting job does not affect the running one", () => {
    queue.add(request("a"))
    queue.add(request("b"))
    expect(queue.cancel("b")).toBe(true)
    expect(slices).toHaveLength(1)
    exhaust()
    expect(current().id).toBe("a")
  })

  test("applies to unfinished jobs only", () => {
    queue.add(request("a", 1n, 1n))
    exhaust()
    expect(queue.cancel("a")).toBe(false)
    expect(queue.cancel("nothing")).toBe(false)
    expect(queue.result("a")!.status).toBe("failed")
  })

  test("makes the queue ignore late results of the old slice", () => {
    queue.add(request("a"))
    const slice = current()
    queue.cancel("a")
    expect(queue.seal(sealOf(slice))).toBe(false)
    queue.exhausted(slice, 5n, 1)
    expect(queue.result("a")).toMatchObject({ status: "cancelled", hash_count: 0 })
  })
})

describe("limits", () => {
  test("a job is kept until five minutes after its end", async () => {
    queue.add(request("a", 1n, 1n))
    expect(() => queue.add(request("a"))).toThrow(KnownJob)
    exhaust()
    await clock.advance(5 * 60_000 - 1)
    expect(() => queue.add(request("a"))).toThrow(KnownJob)
    await clock.advance(1)
    expect(queue.result("a")).toBeUndefined()
    queue.add(request("a"))
  })

  test("unfinished jobs are counted", () => {
    for (let i = 0; i < 64; i++) queue.add(request(`job ${i}`))
    expect(() => queue.add(request("one more"))).toThrow(QueueFull)
    queue.cancel("job 3")
    queue.add(request("one more"))
  })

  test("an unfinished job is cancelled after an hour, waiting or running", async () => {
    queue.add(request("a"))
    queue.add(request("b"))
    await clock.advance(60 * 60_000)
    expect(queue.result("a")!.status).toBe("cancelled")
    expect(queue.result("b")!.status).toBe("cancelled")
    expect(idles).toBe(1)
  })

  test("the oldest finished job is deleted first", () => {
    queue = newQueue({ ...defaultLimits, maxFinished: 2 })
    for (const id of ["a", "b", "c"]) queue.add(request(id))
    for (const id of ["b", "a", "c"]) queue.cancel(id)
    expect(["a", "b", "c"].map(id => queue.result(id)?.status)).toEqual(["cancelled", undefined, "cancelled"])
  })

  test("elapsed time runs from the first slice to the end", async () => {
    queue.add(request("a"))
    queue.add(request("b"))
    await clock.advance(2000)
    expect(queue.result("a")!.elapsed_time).toBe(2)
    expect(queue.result("b")!.elapsed_time).toBe(0)
    queue.cancel("a")
    await clock.advance(1000)
    expect(queue.result("a")!.elapsed_time).toBe(2)
    expect(queue.result("b")!.elapsed_time).toBe(1)
  })

  test("clear deletes all jobs and timers", () => {
    queue.add(request("a"))
    queue.add(request("b"))
    queue.cancel("a")
    queue.clear()
    expect(clock.pending).toBe(0)
  })
})

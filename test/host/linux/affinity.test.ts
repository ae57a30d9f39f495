import { afterAll, describe, expect, test } from "bun:test"
import { currentThreadId, readAffinity, setThreadAffinity, threadAffinity } from "../../../src/host/linux/affinity.ts"
import { monotonicMicroseconds } from "../../../src/host/linux/libc.ts"
import { scratch } from "../support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const linux = process.platform === "linux"

describe.skipIf(!linux)("on Linux", () => {
  test("the system call and the status file agree", async () => {
    expect(threadAffinity()).toEqual([...(await readAffinity("/"))!])
  })

  test("a worker binds itself and no other thread", async () => {
    const before = threadAffinity()!
    const cpu = before.at(-1)!
    const worker = new Worker(new URL("./affinity-worker.ts", import.meta.url).href)
    const answer = await new Promise(resolve => {
      worker.onmessage = event => resolve(event.data)
      worker.postMessage(cpu)
    })
    worker.terminate()
    expect(answer).toEqual({ isBound: true, affinity: [cpu] })
    expect(threadAffinity()).toEqual(before)
  })

  test("a thread is bound by its thread number", () => {
    const before = threadAffinity()!
    const [cpu] = before
    expect(setThreadAffinity([cpu!], currentThreadId())).toBe(true)
    expect(threadAffinity()).toEqual([cpu!])
    setThreadAffinity(before)
  })

  test("an empty set and an absent CPU are refused and change nothing", () => {
    const before = threadAffinity()
    expect(setThreadAffinity([])).toBe(false)
    expect(setThreadAffinity([8191])).toBe(false)
    expect(threadAffinity()).toEqual(before)
  })

  test("the monotonic clock is the system's", async () => {
    const before = monotonicMicroseconds()!
    const after = monotonicMicroseconds()!
    expect(after).toBeGreaterThanOrEqual(before)
  })
})

test.each([-1, 8192, 0.5, Number.NaN])("%p is no CPU", cpu => {
  expect(() => setThreadAffinity([cpu])).toThrow(RangeError)
})

test("the status file is parsed", async () => {
  expect(await readAffinity(tmp.root({ "proc/self/status": "Cpus_allowed_list:\t0-1,4\n" }))).toEqual([0, 1, 4])
  expect(await readAffinity(tmp.root({ "proc/self/status": "Cpus_allowed_list:\n" }))).toBeUndefined()
  expect(await readAffinity(tmp.root({}))).toBeUndefined()
})

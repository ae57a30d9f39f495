import { describe, expect, test } from "bun:test"
import { systemClock } from "../../../src/clock.ts"
import { KERNELS } from "../../../src/engines/cpu/kernels.ts"
import { needsTrial, refusedByTrial, type TrialOrder, tryKernels } from "../../../src/engines/cpu/trial.ts"
import { type ChildEnd, type ChildOptions, runChild } from "../../../src/host/child-task.ts"
import { FakeClock } from "../../support/fake-clock.ts"

const clock = new FakeClock()

/** Children that end so at the given kernels; other kernels pass. */
function children(ends: Readonly<Record<string, ChildEnd>>) {
  const orders: (readonly string[])[] = []
  const run = async ({ order, report }: ChildOptions): Promise<ChildEnd> => {
    const { names } = order as TrialOrder
    orders.push(names)
    for (const name of names) {
      report({ name })
      if (ends[name]) return ends[name]
    }
    return { kind: "done" }
  }
  return { orders, run }
}

describe("native kernels on a system that is not known to run them", () => {
  test("are tried in one child process; WebAssembly is not", async () => {
    const { orders, run } = children({})
    expect(
      (await refusedByTrial(["avx512", "avx2", "wasm", "wasm-narrow"], { clock, platform: "darwin", run })).size,
    ).toBe(0)
    expect(orders).toEqual([["avx512", "avx2"]])
  })

  test("are refused one by one if they crash or hang, and the others are still tried", async () => {
    const { orders, run } = children({ a: { kind: "crashed", how: "SIGILL" }, c: { kind: "hung" } })
    const refused = await refusedByTrial(["a", "b", "c", "d"], { clock, platform: "win32", run })
    expect([...refused]).toEqual([
      ["a", "it crashed the process that tried it (SIGILL)"],
      ["c", "its trial in a child process did not end within 30 s"],
    ])
    expect(orders).toEqual([["a", "b", "c", "d"], ["b", "c", "d"], ["d"]])
  })

  test("are refused if no child process can be started", async () => {
    const run = async (): Promise<ChildEnd> => ({ kind: "unstarted", why: "EAGAIN" })
    const refused = await refusedByTrial(["a", "b"], { clock, platform: "darwin", run })
    expect([...refused.keys()]).toEqual(["a", "b"])
  })
})

test("Linux needs no trial", async () => {
  expect((await refusedByTrial(["a"], { clock, platform: "linux", run: children({}).run })).size).toBe(0)
  expect((["linux", "win32", "darwin"] as const).map(needsTrial)).toEqual([false, true, true])
})

test("a real child tries every kernel of this machine", async () => {
  const names = Object.keys(KERNELS).filter(name => !name.startsWith("wasm"))
  const reports: unknown[] = []
  const end = await runChild({
    order: { kind: "kernels", names } satisfies TrialOrder,
    timeoutMs: 60_000,
    clock: systemClock,
    report: report => reports.push(report),
  })
  expect(end).toEqual({ kind: "done" })
  expect(reports).toEqual(names.map(name => ({ name })))
}, 60_000)

test("the child reports a kernel before it touches it", () => {
  const reported: string[] = []
  expect(() => tryKernels({ kind: "kernels", names: ["no such kernel"] }, ({ name }) => reported.push(name))).toThrow()
  expect(reported).toEqual(["no such kernel"])
})

/** The built executable with GPU drivers that hang or crash. */
import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { MinerProcess } from "../support/miner-process.ts"
import { type Api, buildStubDriver, type Failure, type Moment, type StubDriver } from "../support/stub-driver.ts"
import { figure } from "./figures.ts"

/** Mines for the demo's node while `during` looks; ends what is left of it. */
async function mining(
  [api, moment, failure]: readonly [Api, Moment, Failure],
  during: (miner: MinerProcess, stub: StubDriver) => Promise<void>,
): Promise<void> {
  const stub = buildStubDriver(api, moment, failure)
  const settings = ["--cpu-workers=1", "--engine=wasm", "--difficulty=20000", "--seals=1000000"]
  const miner = new MinerProcess(["demo", ...settings, "--gpu-devices=1"], { env: { ...stub.env } })
  try {
    await during(miner, stub)
  } finally {
    miner.kill("SIGKILL")
    stub.remove()
  }
}

/** The miner and its children: processes with the stub on their loader's path. */
function processesWith(stub: StubDriver): number[] {
  const path = stub.env["LD_LIBRARY_PATH"]!
  return readdirSync("/proc")
    .map(Number)
    .filter(pid => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/environ`, "latin1").includes(path)
      } catch {
        return false
      }
    })
}

const SEGFAULT = "crashed \\(SIGSEGV\\)"
const ABORT = "crashed \\(SIGABRT\\)"
const HANG = "did not answer within 30 s"

const CASES = (["load", "list", "compile"] as const).flatMap(moment => [
  ["cuda", moment, "segfault", SEGFAULT] as const,
  ["cuda", moment, "hang", HANG] as const,
  ["opencl", moment, "abort", ABORT] as const,
  ["opencl", moment, "hang", HANG] as const,
])

describe("CPUs mine, and the log names the library", () => {
  // Together, because a driver that hangs has 30 s.
  test.concurrent.each(CASES)(
    "%s: %s, %s",
    async (api, moment, failure, how) => {
      await mining([api, moment, failure], async (miner, stub) => {
        const from = performance.now()
        const { at } = await miner.line(/was sent/)
        const library = api === "cuda" ? "libcuda\\.so\\.1" : "libOpenCL\\.so\\.1"
        await miner.line(new RegExp(`\\(${library}[^)]*\\) ${how}`))
        await miner.line(/was sent/, miner.lines.length)
        miner.kill("SIGINT")
        await miner.exited
        expect(processesWith(stub)).toEqual([])
        figure(`GPU driver: ${api}, ${moment}, ${failure}`, `first seal ${(at - from).toFixed(0)} ms after the start`)
      })
    },
    120_000,
  )
})

test("a signal ends `tune --gpu` while a driver compiles", async () => {
  const stub = buildStubDriver("cuda", "compile", "hang")
  const miner = new MinerProcess(["tune", "--gpu", "--gpu-devices=1"], { env: { ...stub.env } })
  try {
    await miner.line(/builds are compiled/)
    while (processesWith(stub).length < 2) await Bun.sleep(50)
    miner.kill("SIGINT")
    // The driver has 120 s.
    expect(await miner.exited).toBe(0)
    expect(processesWith(stub)).toEqual([])
  } finally {
    miner.kill("SIGKILL")
    stub.remove()
  }
}, 60_000)

test("a signal ends the miner while a driver hangs, and leaves nothing behind", async () => {
  for (const [moment, pattern, signal] of [
    ["list", /effective CPU/, "SIGTERM"],
    ["compile", /is tuned in a separate process/, "SIGINT"],
    ["load", /was sent/, "SIGKILL"],
  ] as const) {
    await mining(["cuda", moment, "hang"], async (miner, stub) => {
      await miner.line(pattern)
      const from = performance.now()
      miner.kill(signal)
      await miner.exited
      expect(performance.now() - from).toBeLessThan(2000)
      for (let i = 0; i < 20 && processesWith(stub).length > 0; i++) await Bun.sleep(50)
      expect(processesWith(stub)).toEqual([])
    })
  }
}, 60_000)

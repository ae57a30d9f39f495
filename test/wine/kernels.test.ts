/** The tests of kernels and of the host, run by the runtime for Windows. */
import { expect, test } from "bun:test"
import { KERNELS } from "../../src/engines/cpu/kernels.ts"
import { refusalOf } from "../support/kernels.ts"
import { runWine, windowsRuntime } from "./wine.ts"

const FILES = [
  "test/kernel/native",
  "test/kernel/x64/runtime",
  "test/kernel/x64/x64-kernel.test.ts",
  "test/kernel/wasm/wasm-kernel.test.ts",
  "test/engines/self-test.test.ts",
  "test/engines/cpu/trial.test.ts",
  "test/host/windows",
  "test/host/worker-affinity.test.ts",
  "test/host/cpulist.test.ts",
]

test("kernels and host pass their tests on Windows", () => {
  const { code, out, err } = runWine(windowsRuntime(), ["test", "--timeout", "600000", ...FILES])
  if (code !== 0) throw new Error(`exit code ${code}: ${`${out}${err}`.slice(-3000)}`)
  const lines = `${out}${err}`.split("\n")
  const named = (result: string) =>
    lines.flatMap(line => new RegExp(`^\\(${result}\\) (.*?)( \\[[\\d.]+m?s\\])?$`).exec(line)?.[1] ?? [])
  expect(named("fail")).toEqual([])
  expect(lines.filter(line => /^ *\d+ fail$/.test(line))).toEqual([" 0 fail"])
  const passed = named("pass")
  const runnable = Object.keys(KERNELS).filter(kernel => refusalOf(kernel) === undefined)
  expect(runnable.length).toBeGreaterThan(0)
  for (const kernel of runnable) {
    expect(passed).toContain(`kernel ${kernel} > reports exactly the nonces of a row at or below the target`)
    expect(passed).toContain(`kernel ${kernel} > reports exactly the nonces of a range at or below the target`)
    if (!kernel.startsWith("wasm"))
      expect(passed).toContain(`registers that Windows preserves > survive every entry of ${kernel}`)
  }
  for (const name of [
    "pages on Windows > are writable for data, and executable but not writable for code",
    "on Windows > a thread runs on the CPU that it is bound to, also when it is addressed by its id",
    "a real child tries every kernel of this machine",
    "on Windows > a second process does not get a lock while the first one has it",
  ])
    expect(passed).toContain(name)
})

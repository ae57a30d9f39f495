/** The report about a card, for a device whose clocks and rates a test sets. */
import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pipeProgram, reportOn, tableOf } from "../../scripts/gpu-report.ts"
import { tools } from "../../scripts/sass.ts"
import type { Build } from "../../src/engines/gpu/open-device.ts"
import { DEVICE, fakeCompute } from "../engines/gpu/fake-compute.ts"

const CARD = { ...DEVICE, api: "cuda", name: "Card", architecture: "sm_89", computeUnits: 2 } as const
const RIGHT: Build = { groupSize: 128, registers: 76, form: "pairs", rolled: true }
const WRONG: Build = { groupSize: 128, form: "words" }

/** A device that takes four clocks per step of 1024 threads, and eight if the code exceeds 32 KiB. */
function timed(ptx: string) {
  const compute = fakeCompute(() => false)
  let clocks = 0n
  compute.launch = (_queue, _kernel, _groups, _size, args) => {
    const lines = ptx.split("AGAIN:")[1]!.split("\n")
    const instructions = lines.filter(line => /^ {2}(lop3|madc|add)/.test(line)).length
    clocks = BigInt((args[1] as { u32: number }).u32 * instructions * 16 * (instructions > 2048 ? 2 : 1))
  }
  compute.read = (_memory, into) => new BigUint64Array(into.buffer).fill(clocks)
  return compute
}

test("holds pipes, cache, and every build with its share of the bound", async () => {
  const report = await reportOn(CARD, {
    builds: [RIGHT, WRONG],
    tryBuild: async build =>
      build === RIGHT
        ? {
            kind: "right",
            tuning: { layout: { ...build, groups: 48 }, hashesPerSecond: 20e6 },
            registers: 76,
            reading: { powerWatts: 300, clockHertz: 2.16e9 },
          }
        : { kind: "wrong", why: "a wrong hash" },
    openPtx: timed,
    log() {},
  })
  expect(report.pipes).toEqual({ wideMultiplyAdd: 64, addWithCarry: 64, logic: 64 })
  expect(report.cache!.find(({ kib }) => kib === 32)).toEqual({ kib: 32, lanes: 64 })
  expect(report.cache!.find(({ kib }) => kib === 40)).toEqual({ kib: 40, lanes: 32 })
  expect(report.cacheKneeKib).toBe(32)
  expect(tableOf(report)).toContain("they fall after 32 KiB")
  expect(report.builds[0]).toEqual({
    build: "pairs, rolled, 76 registers, groups of 128",
    outcome: "right",
    why: null,
    hashesPerSecond: 20e6,
    groups: 48,
    registers: 76,
    watts: 300,
    clockHertz: 2.16e9,
    shareOfBound: 1,
  })
  expect(report.builds[1]).toMatchObject({ outcome: "wrong", why: "a wrong hash", hashesPerSecond: null })
  expect(tableOf(report)).toContain(
    "| pairs, rolled, 76 registers, groups of 128 | right | 20.0 | 48 | 76 | 300 | 100 % |",
  )
})

test("has no pipes without CUDA, and no share of a bound that is unknown", async () => {
  const report = await reportOn(DEVICE, {
    builds: [RIGHT],
    tryBuild: async build => ({
      kind: "right",
      tuning: { layout: { ...build, groups: 1 }, hashesPerSecond: 1 },
      registers: undefined,
      reading: undefined,
    }),
    openPtx: undefined,
    log() {},
  })
  expect(report).toMatchObject({
    pipes: null,
    cache: null,
    cacheKneeKib: null,
    builds: [{ shareOfBound: null, watts: null }],
  })
})

describe("the program of a pipe", () => {
  const { ptxas } = tools
  test.skipIf(ptxas === undefined)(
    `is assembled${ptxas === undefined ? " (skipped: no ptxas in PATH or $PTXAS; PyPI has nvidia-cuda-nvcc-cu12)" : ""}`,
    () => {
      const directory = mkdtempSync(join(tmpdir(), "pipe-"))
      const [text, cubin] = [join(directory, "pipe.ptx"), join(directory, "pipe.cubin")]
      try {
        writeFileSync(
          text,
          pipeProgram(64, i => [`lop3.b32 %r${i % 16}, %r${i % 16}, %x, %y, 0x96`]),
        )
        const { exitCode, stderr } = Bun.spawnSync([ptxas!, "-arch", "sm_90", "-o", cubin, text])
        expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" })
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  )
})

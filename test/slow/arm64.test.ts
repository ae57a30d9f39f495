/**
 * The arm64 kernels against the specification: natively on arm64, elsewhere under qemu-user, in the root that
 * `scripts/arm64-root.sh` builds.
 */
import { describe, expect, test } from "bun:test"
import { createKernel } from "../../src/engines/cpu/kernels.ts"
import { RECIPES } from "../../src/kernel/arm64/targets.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { arm64Bun, output, arm64Missing as why } from "./arm64-root.ts"
import { isHit, maxMissRate, missRate, prepare } from "./half-plane.ts"

const NONCES = Number(process.env["MISS_NONCES"] ?? 1_000_000)
const ROWS = Math.ceil(NONCES / ROW)

const run = (args: readonly string[], env: Record<string, string> = {}) => output([...arm64Bun(), ...args], { env })

const suites = (kernel: string) =>
  run(["test", "--path-ignore-patterns=", "--timeout", "500000", "./test/slow/arm64-guest.ts"], { KERNEL: kernel })

describe.skipIf(why !== undefined)(`on arm64${why ? ` (${why})` : ""}`, () => {
  test("operations", async () => {
    expect((await suites("operations")).err).toMatch(/ 71 pass\n/)
  })

  test.each(Object.keys(RECIPES))("kernel %s", async kernel => {
    expect((await suites(kernel)).err).toMatch(/ 9 pass\n/)
  })

  test.skipIf(process.arch === "arm64")("arm64-sve2 is refused by a core that lacks SVE2", () => {
    const command = [...arm64Bun(), "test/slow/arm64-hits.ts", "arm64-sve2", "1"]
    const { exitCode, stderr } = Bun.spawnSync(command, { env: { ...process.env, QEMU_CPU: "cortex-a72" } })
    expect(stderr.toString()).toContain("this CPU has no SVE2")
    expect(exitCode).not.toBe(0)
  })

  test.each(Object.keys(RECIPES))(`misses of %s are below one in a million, over ${NONCES} nonces`, async kernel => {
    const { out } = await run(["test/slow/arm64-hits.ts", kernel, String(ROWS)])
    const bits = Uint8Array.fromBase64(out.trim())
    const other = createKernel("wasm")
    prepare(other, other)
    const wrong = { tested: 0, other: 0 }
    for (let t0 = 0; t0 < ROWS; t0++) {
      const expected = new Set(other.hits.subarray(0, other.searchRow(t0)))
      for (let t1 = 0; t1 < ROW; t1++) {
        const nonce = t0 * ROW + t1
        const found = ((bits[nonce >> 3]! >> (nonce & 7)) & 1) === 1
        if (found === expected.has(t1)) continue
        if (found !== isHit(t0, t1)) wrong.tested++
        else wrong.other++
      }
    }
    console.log(`${kernel} over ${NONCES} nonces: ${wrong.tested} misses seen, ${wrong.other} of the other kernel`)
    expect(missRate(wrong.tested, NONCES)).toBeLessThan(maxMissRate(NONCES))
  })
})

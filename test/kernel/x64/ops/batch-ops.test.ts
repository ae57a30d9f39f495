import { expect, test } from "bun:test"
import fc from "fast-check"
import { mapPages } from "../../../../src/kernel/native/memory.ts"
import { permutation } from "../../../../src/kernel/permutation.ts"
import { memory, rdi } from "../../../../src/kernel/x64/assembler/operands.ts"
import type { Feature } from "../../../../src/kernel/x64/assembler/table.ts"
import { beginRoutine, type RenderTarget } from "../../../../src/kernel/x64/program/render.ts"
import { avx2, avx512, avx512Limbs, scalar, scalarBmi2 } from "../../../../src/kernel/x64/program/render-targets.ts"
import { cpuFeatures } from "../../../../src/kernel/x64/runtime/cpuid.ts"
import { loadX64Code } from "../../../../src/kernel/x64/runtime/load-x64.ts"
import { WIDTH } from "../../../../src/pow/constants.ts"
import { mod, P } from "../../../../src/pow/field.ts"
import { permute } from "../../../../src/pow/poseidon2.ts"
import { opsSuite, type Program } from "../../ops-suite.ts"

const word = fc.oneof(
  fc.constantFrom(0n, 1n, P - 1n, P, P + 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
)

/** @returns why code that requires these features cannot run here; undefined if it can */
function missing(needs: readonly Feature[]): string | undefined {
  if (process.arch !== "x64" || process.platform !== "linux") return "no x86-64 Linux"
  const lacking = needs.filter(need => !cpuFeatures().has(need))
  return lacking.length > 0 ? `no ${lacking.join(", ")}` : undefined
}

/** Runs the suite on each lane set of a render target. */
function suites(name: string, renderTarget: RenderTarget, needs: readonly Feature[]): void {
  const why = missing(needs)
  if (why) test.skip(`operations of ${name} (skipped: ${why})`, () => {})
  else
    setUp(renderTarget).ops.laneSets.forEach((laneSet, k) => {
      const title = `${name}, lane set ${k} (${laneSet.lanes === 1 ? "integers" : `${laneSet.lanes} lanes`})`
      test(`the permutation on ${title}`, async () => {
        const run = await compile(renderTarget, permutation, WIDTH, k)
        fc.assert(
          fc.property(fc.array(word, { minLength: WIDTH, maxLength: WIDTH }), words => {
            expect(run(words)).toEqual(permute(words.map(mod)))
          }),
          { seed: 20261123 },
        )
      })
      opsSuite(title, {
        // Integer lanes reduce products before they add them, so a sum multiplies a dropped carry.
        droppedCarries: laneSet.lanes === 1 ? 100 : 8,
        compile: (program, inputs) => compile(renderTarget, program, inputs, k),
      })
    })
}

function setUp(renderTarget: RenderTarget) {
  const { routine, layout, ops } = beginRoutine(renderTarget)
  return { routine, layout, steps: ops.steps[0], ops: ops.batch }
}

/** @returns a function from input words to the result words of a lane set's last lane */
async function compile(renderTarget: RenderTarget, program: Program, inputs: number, k: number) {
  const { routine, layout, steps, ops } = setUp(renderTarget)
  const laneSet = ops.laneSets[k]!
  const preserved = [...renderTarget.routine.registers.integer, 3].map(
    n => ({ kind: "register", class: "r64", n }) as const,
  )
  for (const register of preserved) routine.control("push", register)
  steps.begin()
  const words = Array.from({ length: inputs }, (_, i) =>
    ops.fromWords(ops.laneSets.map(each => each.broadcastWord(memory(rdi, layout.input + 8 * i)))),
  )
  const results = program(ops, words)
  results.forEach((x, i) => {
    // The columns are unused, because no row is searched.
    laneSet.store(memory(rdi, layout.columns + 8 * laneSet.lanes * i), ops.toWords(x)[k]!)
  })
  steps.end()
  for (const register of preserved.toReversed()) routine.control("pop", register)
  routine.control("ret")
  routine.hot = true
  steps.finish()
  const context = mapPages(layout.size)
  const run = loadX64Code(routine.finish()).entry(0)
  const input = new BigUint64Array(context.buffer, layout.input, inputs)
  const output = new BigUint64Array(context.buffer, layout.columns, results.length * laneSet.lanes)
  return (values: readonly bigint[]) => {
    input.set(values)
    run(context.address)
    return results.map((_, i) => output[(i + 1) * laneSet.lanes - 1]!)
  }
}

suites("avx2", avx2, ["bmi2", "avx2"])
suites("avx512", avx512, ["bmi2", "avx512f", "avx512bw", "avx512ifma"])
suites("avx512-limbs", avx512Limbs, ["bmi2", "avx512f", "avx512bw"])
suites("scalar", scalar, [])
suites("scalar:bmi2", scalarBmi2, ["bmi2"])

test.each([
  ["avx2", overflow(avx2)],
  ["avx512", overflow(avx512)],
  ["avx512-limbs", overflow(avx512Limbs)],
  ["scalar", overflow(scalar)],
])("%s rejects a sum that could overflow while rendering", (_, doubleOften) => {
  expect(doubleOften).toThrow(RangeError)
})

/** @returns a function that renders a sum of 2^70 products */
function overflow(renderTarget: RenderTarget): () => void {
  return () => {
    const { ops, layout } = setUp(renderTarget)
    const x = ops.fromWords(ops.laneSets.map(laneSet => laneSet.broadcastWord(memory(rdi, layout.input))))
    let sum = ops.product(x, x)
    for (let i = 0; i < 70; i++) sum = ops.double(sum)
  }
}

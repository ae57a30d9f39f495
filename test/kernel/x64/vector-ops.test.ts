import { expect, test } from "bun:test"
import { memory, rdi } from "../../../src/kernel/x64/assembler/operands.ts"
import type { Feature } from "../../../src/kernel/x64/assembler/table.ts"
import { Routine } from "../../../src/kernel/x64/compiler/routine.ts"
import { contextLayout } from "../../../src/kernel/x64/context.ts"
import { cpuFeatures } from "../../../src/kernel/x64/cpuid.ts"
import { loadCode, mapPages } from "../../../src/kernel/x64/memory.ts"
import type { Target } from "../../../src/kernel/x64/render.ts"
import { Steps } from "../../../src/kernel/x64/steps.ts"
import { avx2, avx512, avx512Limbs } from "../../../src/kernel/x64/targets.ts"
import { opsSuite, type Program } from "../ops-suite.ts"

/** Why code that needs these features cannot run here. */
function missing(needs: readonly Feature[]): string | undefined {
  if (process.arch !== "x64" || process.platform !== "linux") return "no x86-64 Linux"
  const lacking = needs.filter(need => !cpuFeatures().has(need))
  return lacking.length > 0 ? `no ${lacking.join(", ")}` : undefined
}

function vectorSuite<V, W>(name: string, target: Target<V, W>, needs: readonly Feature[]): void {
  const why = missing(needs)
  if (why) test.skip(`operations of ${name} (skipped: ${why})`, () => {})
  else opsSuite(name, { droppedCarries: 8, compile: (program, inputs) => compile(target, program, inputs) })
}

async function compile<V, W>(target: Target<V, W>, program: Program, inputs: number) {
  const routine = new Routine(target.routine)
  const vectors = target.vectors(routine)
  const layout = contextLayout(vectors.bytes, target.streams)
  const steps = new Steps(vectors, layout.state)
  const ops = target.ops(vectors, steps)
  steps.begin()
  const words = Array.from({ length: inputs }, (_, i) => {
    const word = vectors.broadcastWord(memory(rdi, layout.input + 8 * i))
    return ops.fromWords(new Array(target.streams).fill(word))
  })
  const results = program(ops, words)
  results.forEach((x, i) => {
    vectors.store(memory(rdi, layout.output + i * vectors.bytes), ops.toWords(x).at(-1)!)
  })
  routine.control("vzeroupper")
  routine.control("ret")
  steps.finish()
  const context = mapPages(layout.size)
  const run = loadCode(routine.finish()).entry(0)
  const input = new BigUint64Array(context.buffer, layout.input, inputs)
  const output = new BigUint64Array(context.buffer, layout.output, results.length * vectors.lanes)
  return (values: readonly bigint[]) => {
    input.set(values)
    run(context.address)
    return results.map((_, i) => output[i * vectors.lanes]!)
  }
}

vectorSuite("avx2", avx2, ["avx2"])
vectorSuite("avx512", avx512, ["avx512f", "avx512bw", "avx512ifma"])
vectorSuite("avx512-limbs", avx512Limbs, ["avx512f", "avx512bw"])

test.each([
  ["avx2", overflow(avx2)],
  ["avx512", overflow(avx512)],
  ["avx512-limbs", overflow(avx512Limbs)],
])("a sum that could overflow is refused while %s renders it", (_, doubleFortyTimes) => {
  expect(doubleFortyTimes).toThrow(RangeError)
})

function overflow<V, W>(target: Target<V, W>): () => void {
  return () => {
    const vectors = target.vectors(new Routine(target.routine))
    const layout = contextLayout(vectors.bytes, target.streams)
    const ops = target.ops(vectors, new Steps(vectors, layout.state))
    const word = vectors.broadcastWord(memory(rdi, layout.input))
    const x = ops.fromWords(new Array(target.streams).fill(word))
    let sum = ops.product(x, x)
    for (let i = 0; i < 40; i++) sum = ops.double(sum)
  }
}

import { memory, rdi } from "../../../src/kernel/x64/assembler/operands.ts"
import { Routine } from "../../../src/kernel/x64/compiler/routine.ts"
import { contextLayout } from "../../../src/kernel/x64/context.ts"
import { loadCode, mapPages } from "../../../src/kernel/x64/memory.ts"
import { Steps } from "../../../src/kernel/x64/steps.ts"
import { avx2 } from "../../../src/kernel/x64/targets.ts"
import { opsSuite } from "../ops-suite.ts"

opsSuite("avx2", {
  droppedCarries: 8,
  async compile(program, inputs) {
    const routine = new Routine(avx2.routine)
    const vectors = avx2.vectors(routine)
    const layout = contextLayout(vectors.bytes)
    const steps = new Steps(vectors)
    const ops = avx2.ops(vectors, steps, layout)
    const words = Array.from({ length: inputs }, (_, i) =>
      ops.fromWords([vectors.broadcastWord(memory(rdi, layout.input + 8 * i))]),
    )
    const results = program(ops, words)
    results.forEach((x, i) => {
      vectors.store(memory(rdi, layout.output + i * vectors.bytes), ops.toWords(x)[0]!)
    })
    routine.control("ret")
    steps.finish()
    const context = mapPages(layout.size)
    const run = loadCode(routine.finish()).entry(0)
    const input = new BigUint64Array(context.buffer, layout.input, inputs)
    const output = new BigUint64Array(context.buffer, layout.output, results.length * vectors.lanes)
    return values => {
      input.set(values)
      run(context.address)
      return results.map((_, i) => output[i * vectors.lanes]!)
    }
  },
})

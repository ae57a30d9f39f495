import { FunctionBuilder, get, i32, i64, ModuleBuilder } from "../../../src/kernel/wasm/module.ts"
import { narrow, wide } from "../../../src/kernel/wasm/wasm-kernel.ts"
import { WasmOps, type WideArithmetic } from "../../../src/kernel/wasm/wasm-ops.ts"
import { opsSuite, type TestRenderTarget } from "../ops-suite.ts"

/** Memory map: input words at 0, output words at 256, a step's state at 512, tables from 1024 on. */
const renderTarget = (arithmetic: WideArithmetic): TestRenderTarget => ({
  droppedCarries: 8,
  async compile(program, inputs) {
    const module = new ModuleBuilder()
    let next = 1024
    const f = new FunctionBuilder([], [])
    const ops = new WasmOps(
      {
        module,
        arithmetic,
        stateAddress: 512,
        steps: new Map(),
        allocate(bytes) {
          module.data(next, bytes)
          return (next += bytes.length) - bytes.length
        },
      },
      f,
    )
    const base = i32.constant(0)
    const loaded = Array.from({ length: inputs }, (_, i) => f.let("i64", i64.load(base, 8 * i)))
    const results = program(ops, loaded)
    results.forEach((result, i) => {
      f.emit(i64.store(base, 256 + 8 * i, get(result)))
    })
    module.add(f, "run")
    const { instance } = await WebAssembly.instantiate(module.encode(1))
    const { memory, run } = instance.exports as unknown as { memory: WebAssembly.Memory; run(): void }
    return words => {
      new BigUint64Array(memory.buffer).set(words)
      run()
      return [...new BigUint64Array(memory.buffer, 256, results.length)]
    }
  },
})

opsSuite("WebAssembly with wide arithmetic", renderTarget(wide))
opsSuite("WebAssembly without wide arithmetic", renderTarget(narrow))

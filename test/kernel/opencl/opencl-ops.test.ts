/** Operations of the OpenCL renderer, compiled and run by PoCL and compared with the interpreter of `ops.ts`. */
import { test } from "bun:test"
import { openOpenClCompute } from "../../../src/engines/gpu/opencl/compute.ts"
import { OpenClOps, OpenClProgram, OpenClText, PRELUDE } from "../../../src/kernel/opencl/opencl-ops.ts"
import { openClProcessor } from "../../support/opencl.ts"
import { opsSuite } from "../ops-suite.ts"

const processor = openClProcessor()

if (typeof processor === "string") test.skip(`operations of OpenCL (skipped: ${processor})`, () => {})
else {
  opsSuite("OpenCL", {
    // A long sum multiplies the dropped carries of a product by up to 96.
    droppedCarries: 200,
    async compile(program, inputs) {
      const text = new OpenClText(new OpenClProgram())
      const words = Array.from({ length: inputs }, (_, i) => `s${i}`)
      const outputs = program(new OpenClOps(text), words)
      outputs.forEach((x, i) => {
        text.lines.push(`out[${i}] = ${x};`)
      })
      const parameters = [...words.map(word => `ulong ${word}`), "__global ulong *out"].join(", ")
      const source = [PRELUDE, ...text.program.declarations, text.body(`__kernel void program(${parameters})`)].join(
        "\n",
      )
      const compute = openOpenClCompute(processor.api, processor.device, source, ["program"])
      const out = compute.allocate(8 * outputs.length)
      return values => {
        compute.launch("program", 1, 1, [...values.map(u64 => ({ u64 })), { memory: out }])
        compute.wait(compute.fence())
        const result = new BigUint64Array(outputs.length)
        compute.read(out, new Uint8Array(result.buffer))
        return [...result]
      }
    },
  })
}

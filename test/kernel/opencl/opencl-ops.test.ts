/** Operations of the OpenCL renderer, compiled and run by PoCL and compared with the interpreter of `ops.ts`. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { openOpenClCompute } from "../../../src/engines/gpu/opencl/compute.ts"
import { LimbOps } from "../../../src/kernel/limbs/limb-ops.ts"
import { OpenClProgram, OpenClText, PRELUDE } from "../../../src/kernel/opencl/opencl-text.ts"
import { mod } from "../../../src/pow/field.ts"
import { openClProcessor } from "../../support/opencl.ts"
import { opsSuite, type Program } from "../ops-suite.ts"

const processor = openClProcessor()

if (typeof processor === "string") test.skip(`operations of OpenCL (skipped: ${processor})`, () => {})
else {
  const { api, device } = processor
  opsSuite("OpenCL", {
    // A long sum multiplies the dropped carries of a product by up to 96.
    droppedCarries: 200,
    compile,
  })

  test("the square of an element whose low half is 0 keeps every borrow", async () => {
    const square = await compile((ops, [a]) => [ops.square(a!)], 1)
    const element = fc.bigInt({ min: 0n, max: 2n ** 48n - 1n }).map(high => high << 16n)
    fc.assert(
      fc.property(element, a => {
        expect(square([a]).map(mod)).toEqual([mod(a * a)])
      }),
      { numRuns: 500 },
    )
  })

  async function compile(program: Program, inputs: number) {
    const shared = new OpenClProgram()
    const text = new OpenClText(shared)
    const words = Array.from({ length: inputs }, (_, i) => `s${i}`)
    const outputs = program(
      new LimbOps(text, "carries"),
      words.map(word => text.unpack(word)),
    )
    outputs.forEach((x, i) => {
      text.lines.push(`out[${i}] = ${text.pack(...x)};`)
    })
    const parameters = [...words.map(word => `ulong ${word}`), "__global ulong *out"].join(", ")
    const source = [PRELUDE, ...shared.declarations, text.body(`__kernel void program(${parameters})`)].join("\n")
    const compute = openOpenClCompute(api, device, source, ["program"])
    const out = compute.allocate(8 * outputs.length)
    return (values: readonly bigint[]) => {
      compute.launch(0, "program", 1, 1, [...values.map(u64 => ({ u64 })), { memory: out }])
      compute.wait(compute.fence(0))
      const result = new BigUint64Array(outputs.length)
      compute.read(out, new Uint8Array(result.buffer))
      return [...result]
    }
  }
}

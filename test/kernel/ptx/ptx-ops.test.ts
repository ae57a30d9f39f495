/** Operations of the PTX renderer, run by a PTX interpreter and compared with the interpreter of `ops.ts`. */
import { LimbOps } from "../../../src/kernel/limbs/limb-ops.ts"
import { PtxModule, PtxText } from "../../../src/kernel/ptx/ptx-text.ts"
import { opsSuite } from "../ops-suite.ts"
import { PtxMachine } from "./ptx-interpreter.ts"

for (const form of ["pairs", "words", "multiplier"] as const)
  opsSuite(`PTX, sums by ${form}`, {
    // A long sum multiplies the dropped carries of a product by up to 96.
    droppedCarries: 200,
    async compile(program, inputs) {
      const module = new PtxModule()
      const text = new PtxText(module)
      const words = Array.from({ length: inputs }, (_, i) => text.unpack(text.letPair("ld.param.b64", `[s${i}]`)))
      const outputs = program(new LimbOps(text, form), words)
      const out = text.letPair("ld.param.b64", "[out]")
      outputs.forEach((x, i) => {
        text.emit(`st.global.b64 [${out}+${8 * i}], ${text.pack(...x)}`)
      })
      module.kernel("program", [...words.map((_, i) => `.b64 s${i}`), ".b64 out"], "", text)
      const machine = new PtxMachine(String(module), 8 * outputs.length)
      return words => {
        machine.launch("program", 1, 1, [...words, 0n])
        return outputs.map((_, i) => machine.memory.getBigUint64(8 * i, true))
      }
    },
  })

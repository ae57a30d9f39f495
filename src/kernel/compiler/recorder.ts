/** Records blocks of instructions over virtual registers and compiles each when it ends. Architectures add an assembler. */
import type { Architecture, BlockInstruction, PhysicalInstruction } from "./architecture.ts"
import { type CompiledBlock, type CompileOptions, compileBlock } from "./compile-block.ts"
import { type Label, label, type VirtualRegister } from "./operands.ts"

export type RoutineOptions = Omit<CompileOptions, "architecture">

/** Totals over all compiled blocks, for tests and reports. */
export interface Statistics {
  instructions: number
  stores: number
  reloads: number
}

/** A block whose vector code is scheduled. */
export type HotBlock = NonNullable<CompiledBlock["vectors"]>

export abstract class Recorder<Instruction extends BlockInstruction, Class extends string> {
  readonly statistics: Statistics = { instructions: 0, stores: 0, reloads: 0 }
  /** The vector code of the hot blocks compiled so far. */
  readonly hotBlocks: HotBlock[] = []
  readonly #architecture: Architecture
  readonly #options: RoutineOptions
  #block: Instruction[] = []
  #labels = 0
  #isHot = false
  #registers = 0

  constructor(architecture: Architecture, options: RoutineOptions) {
    this.#architecture = architecture
    this.#options = options
  }

  /** Encodes an instruction of a compiled block. */
  protected abstract encode(instruction: PhysicalInstruction): void

  /** @returns a new virtual register, valid until the current block ends */
  register(cls: Class): VirtualRegister<Class> {
    return { kind: "virtual", class: cls, id: this.#registers++ }
  }

  /** Appends an instruction to the current block; the scheduler may move it. */
  protected append(instruction: Instruction): void {
    this.#block.push(instruction)
  }

  /** Whether the following blocks run often. Only hot blocks are scheduled; others keep their order. */
  set hot(hot: boolean) {
    this.endBlock()
    this.#isHot = hot
  }

  /** @returns a new label with a unique name */
  label(name: string): Label {
    return label(`${name}.${this.#labels++}`)
  }

  /** Identity of the current block. */
  get block(): object {
    return this.#block
  }

  endBlock(): void {
    const block = this.#block
    if (block.length === 0) return
    this.#block = []
    const { code, stores, reloads, vectors } = compileBlock(block, this.#isHot, {
      ...this.#options,
      architecture: this.#architecture,
    })
    for (const instruction of code) this.encode(instruction)
    if (vectors) this.hotBlocks.push(vectors)
    this.statistics.instructions += code.length
    this.statistics.stores += stores
    this.statistics.reloads += reloads
  }
}

/** Digests and counts of every rendered kernel, to show that a change moved no code, or which code it moved. */
import { type Arm64KernelName, RECIPES } from "../../src/kernel/arm64/targets.ts"
import { renderOpenCl } from "../../src/kernel/opencl/opencl-program.ts"
import { type PtxOptions, renderPtx } from "../../src/kernel/ptx/ptx-program.ts"
import { renderWasmModule } from "../../src/kernel/wasm/wasm-kernel.ts"
import { CORE_SCHEDULES } from "../../src/kernel/x64/program/core-schedules.ts"
import { type RenderedKernel, type RenderTarget, renderKernel } from "../../src/kernel/x64/program/render.ts"
import { renderTargetOf, VARIANTS } from "../../src/kernel/x64/program/render-targets.ts"
import { arm64Kernel, countsOf } from "./arm64-listing.ts"

export interface Digest {
  /** SHA-256 of the code and its constants. */
  readonly sha256: string
  readonly bytes: number
  /** Instructions of compiled blocks (x86-64), all instructions (arm64), statements (PTX), or lines (OpenCL). */
  readonly instructions?: number
  /** Values stored because no register was free, and values read again. */
  readonly stores?: number
  readonly reloads?: number
  /** Instructions that a nonce executes, and stores and reloads of spilled values among them (arm64). */
  readonly instructionsPerNonce?: number
  readonly spillsPerNonce?: number
}

/** The committed digests. */
export const DIGESTS_FILE = new URL("../../test/kernel/digests.json", import.meta.url)

/** Renders a kernel and returns its digest, by kernel. */
export const KERNEL_DIGESTS: Readonly<Record<string, () => Digest>> = {
  ...Object.fromEntries(
    Object.entries(VARIANTS).map(([name, { target }]) => [name, () => ofX64(renderKernel(target))]),
  ),
  ...Object.fromEntries(
    CORE_SCHEDULES.flatMap(({ core, kernels }) =>
      Object.keys(kernels).map(name => [`${name}@${core}`, () => ofX64(renderKernel(x64Target(`${name}@${core}`)))]),
    ),
  ),
  ...Object.fromEntries(Object.keys(RECIPES).map(name => [name, () => ofArm64(name as Arm64KernelName)])),
  wasm: () => ofBytes(renderWasmModule("wasm")),
  "wasm-narrow": () => ofBytes(renderWasmModule("wasm-narrow")),
  "ptx pairs": () => ofPtx({ groupSize: 128, form: "pairs" }),
  "ptx pairs rolled": () => ofPtx({ groupSize: 128, form: "pairs", rolled: true }),
  "ptx words": () => ofPtx({ groupSize: 128, form: "words" }),
  "ptx words rolled": () => ofPtx({ groupSize: 128, form: "words", rolled: true }),
  "ptx multiplier": () => ofPtx({ groupSize: 128, form: "multiplier" }),
  "ptx multiplier rolled": () => ofPtx({ groupSize: 128, form: "multiplier", rolled: true }),
  opencl: () => ofText(renderOpenCl(), /^.+$/gm),
  "opencl rolled": () => ofText(renderOpenCl({ rolled: true }), /^.+$/gm),
}

/**
 * @param name `ENGINE`, `ENGINE:N` for N integer nonces per vector, or either with `@CORE` for that core's schedules
 * @throws RangeError for another name
 */
export function x64Target(name: string): RenderTarget {
  const [kernel = "", core] = name.split("@")
  const [engine = "", integers = "1"] = kernel.split(":")
  const row = CORE_SCHEDULES.find(row => row.core === core)
  const unknown = new RangeError(`no x86-64 kernel ${name}`)
  if (!(engine in VARIANTS) || (core !== undefined && !row)) throw unknown
  const target = VARIANTS[kernel]?.target ?? withIntegers(engine, integers)
  if (!target) throw unknown
  return { ...target, routine: { ...target.routine, schedules: row?.kernels[kernel] ?? {} } }
}

function withIntegers(name: string, integers: string): RenderTarget | undefined {
  const { engine } = VARIANTS[name]!
  return engine !== "scalar" && /^\d$/.test(integers) ? renderTargetOf(engine, Number(integers)) : undefined
}

/** The digests of all kernels. */
export const digestsOfAll = (): Record<string, Digest> =>
  Object.fromEntries(Object.entries(KERNEL_DIGESTS).map(([name, digest]) => [name, digest()]))

const ofX64 = ({ code, statistics: { instructions, stores, reloads } }: RenderedKernel): Digest => ({
  ...ofBytes(code),
  instructions,
  stores,
  reloads,
})

function ofArm64(name: Arm64KernelName): Digest {
  const kernel = arm64Kernel(name)
  const { instructions, spills, codeBytes } = countsOf(kernel)
  return {
    ...ofBytes(kernel.code),
    instructions: codeBytes / 4,
    instructionsPerNonce: instructions,
    spillsPerNonce: spills,
  }
}

const ofPtx = (options: PtxOptions): Digest => ofText(renderPtx(options), /^\s+[^.\s].*;$/gm)

const ofText = (text: string, statement: RegExp): Digest => ({
  ...ofBytes(new TextEncoder().encode(text)),
  instructions: text.match(statement)?.length ?? 0,
})

const ofBytes = (bytes: Uint8Array): Digest => ({
  sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
  bytes: bytes.length,
})

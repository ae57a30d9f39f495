/** Compiles the OpenCL text with LLVM for AMD's architectures and reports registers and instructions per nonce. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type OpenClOptions, renderOpenCl } from "../src/kernel/opencl/opencl-program.ts"
import { weightsOf } from "./loop-weights.ts"

/** Major version of LLVM that the figures of `docs/gpu.md` and the limits of the tests are for. */
export const LLVM = 22

/** clang of that version, from `$CLANG`, otherwise from PATH; undefined if absent. */
export const clang = process.env["CLANG"] ?? Bun.which(`clang-${LLVM}`) ?? undefined

export interface Compiled {
  readonly vectorRegisters: number
  /** Waves that a SIMD unit holds, by the compiler. */
  readonly waves: number
  /** Bytes of private memory per thread. */
  readonly scratch: number
  /** Bytes of machine code. */
  readonly bytes: number
  readonly counts: GcnCounts
}

/** Instructions that one thread executes per nonce. */
export interface GcnCounts {
  /** Vector instructions, the following included. */
  readonly vector: number
  /** 32 × 32 → 64-bit multiply-adds. */
  readonly wide: number
  /** Other products of 32-bit words: half of a product each. */
  readonly half: number
  /** Shifts of 64-bit values. */
  readonly shifts: number
  /** Scalar instructions and memory. */
  readonly other: number
}

/** Replaces the functions of AMD's device library by what they compile to. */
const BUILTINS = `
#define get_local_id(d) ((uint)__builtin_amdgcn_workitem_id_x())
#define get_global_id(d) (__builtin_amdgcn_workgroup_id_x() * __builtin_amdgcn_workgroup_size_x() + get_local_id(d))
#define get_global_size(d) __builtin_amdgcn_grid_size_x()
#define atomic_inc(p) __scoped_atomic_fetch_add(p, 1, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE)
`

/** Returns clang's version. @throws Error if its major version is not `LLVM` */
export function llvmVersion(clang: string): string {
  const [, version, major] = /version ((\d+)[\d.]*)/.exec(Bun.spawnSync([clang, "--version"]).stdout.toString()) ?? []
  if (Number(major) !== LLVM) throw new Error(`${clang} is of ${version ?? "an unknown version"}; needed: LLVM ${LLVM}`)
  return version!
}

/** Compiles the search kernel. @throws Error with the compiler's message if it rejects the text */
export function compileGcn(clang: string, { rolled = false }: OpenClOptions, architecture: string): Compiled {
  const directory = mkdtempSync(join(tmpdir(), "gcn-"))
  try {
    const [text, assembly] = [join(directory, "kernel.cl"), join(directory, "kernel.s")]
    writeFileSync(text, BUILTINS + searchOf(renderOpenCl({ rolled })))
    const target = ["-target", "amdgcn-amd-amdhsa", `-mcpu=${architecture}`, "-nogpulib"]
    const language = ["-x", "cl", "-cl-std=CL1.2", "-O3", "-Xclang", "-finclude-default-header"]
    const command = [clang, ...target, ...language, "-S", "-o", assembly, text]
    const { exitCode, stderr } = Bun.spawnSync(command)
    if (exitCode !== 0) throw new Error(stderr.toString())
    return analyse(readFileSync(assembly, "utf8"), rolled)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Returns a program without its other kernels. */
const searchOf = (program: string): string =>
  program
    .split(/^(?=(?:SEARCH )?__kernel )/m)
    .filter(part => !part.startsWith("__kernel "))
    .join("")

function analyse(assembly: string, rolled: boolean): Compiled {
  const lines = assembly.slice(assembly.indexOf("\nsearch:")).split("\n").slice(1)
  const end = lines.findIndex(line => line.startsWith(".Lfunc_end"))
  const labels = new Map<string, number>()
  const found: { name: string; label: string | undefined }[] = []
  for (const line of lines.slice(0, end)) {
    const label = /^(\.LBB\w+):/.exec(line)?.[1]
    if (label !== undefined) labels.set(label, found.length)
    const [, name, operands] = /^\t([vs]_\w+|(?:global|scratch|buffer|flat|ds)_\w+)(.*)$/.exec(line) ?? []
    if (name !== undefined)
      found.push({ name, label: /s_c?branch/.test(name) ? /\.LBB\w+/.exec(operands!)?.[0] : undefined })
  }
  if (found.some(({ name }) => /swappc|setpc/.test(name))) throw new Error("the kernel calls a function")
  const weights = weightsOf(
    found.map(({ name, label }, at) => ({
      at,
      target: label === undefined ? undefined : labels.get(label),
      isWide: /^v_mad_(co_|nc_)?u64_u32/.test(name),
    })),
    rolled,
  )
  const count = (pattern: RegExp) => found.reduce((sum, { name }, i) => sum + (pattern.test(name) ? weights[i]! : 0), 0)
  const fact = (name: string) => Number(new RegExp(`^; ${name}: (\\d+)`, "m").exec(lines.slice(end).join("\n"))?.[1])
  return {
    vectorRegisters: fact("NumVgprs"),
    waves: fact("Occupancy"),
    scratch: fact("ScratchSize"),
    bytes: Number(/codeLenInByte = (\d+)/.exec(lines.slice(end).join("\n"))?.[1]),
    counts: {
      vector: count(/^v_/),
      wide: count(/^v_mad_(co_|nc_)?u64_u32/),
      half: count(/^v_mul_(lo|hi)_/),
      shifts: count(/^v_(lshl|lshr|ashr)(rev)?_?(rev)?_?[biu]64/),
      other: count(/^(?!v_)/),
    },
  }
}

/**
 * A second executor of PTX: translates a module to C, instruction by instruction as the PTX ISA manual defines them, and
 * has the host's C compiler build it. It shares no code with the renderer or with the interpreter.
 */
import { dlopen, ptr } from "bun:ffi"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Argument, Compute, Memory, Queue } from "../../src/engines/gpu/compute.ts"
import type { GpuDevice } from "../../src/engines/gpu/device.ts"

const PRELUDE = `#include <stdint.h>
typedef uint32_t u32;
typedef uint64_t u64;
static u32 reversed(u32 x) { return __builtin_bswap32(x); }
`

/** Statements by instruction: d is the destination, a, b, c are sources, cc is the carry flag. */
const STATEMENTS: Readonly<Record<string, string>> = {
  "add.u32": "d = a + b;",
  "add.cc.u32": "u64 t = (u64)(u32)a + (u32)b; d = t; cc = t >> 32;",
  "addc.u32": "d = a + b + cc;",
  "addc.cc.u32": "u64 t = (u64)(u32)a + (u32)b + cc; d = t; cc = t >> 32;",
  "sub.u32": "d = a - b;",
  "sub.cc.u32": "u64 t = (u64)(u32)a - (u32)b; d = t; cc = t >> 63;",
  "subc.u32": "d = a - b - cc;",
  "subc.cc.u32": "u64 t = (u64)(u32)a - (u32)b - cc; d = t; cc = t >> 63;",
  "mul.lo.u32": "d = a * b;",
  "mad.lo.u32": "d = a * b + c;",
  "mad.lo.cc.u32": "u64 t = (u64)((u32)a * (u32)b) + (u32)c; d = t; cc = t >> 32;",
  "madc.lo.cc.u32": "u64 t = (u64)((u32)a * (u32)b) + (u32)c + cc; d = t; cc = t >> 32;",
  "madc.hi.u32": "d = (u32)((u64)(u32)a * (u32)b >> 32) + c + cc;",
  "madc.hi.cc.u32": "u64 t = ((u64)(u32)a * (u32)b >> 32) + (u32)c + cc; d = t; cc = t >> 32;",
  "mul.wide.u32": "d = (u64)(u32)a * (u32)b;",
  "mad.wide.u32": "d = (u64)(u32)a * (u32)b + c;",
  "add.u64": "d = a + b;",
  "sub.u64": "d = a - b;",
  "cvt.u64.u32": "d = (u32)a;",
  "mov.b32": "d = a;",
  "mov.u32": "d = a;",
  "mov.u64": "d = a;",
  "and.b32": "d = a & b;",
  "shl.b32": "d = a << b;",
  "shr.u32": "d = a >> b;",
  "shf.l.wrap.b32": "d = (u32)b << (c & 31) | (u64)a >> (32 - (c & 31));",
  "selp.b64": "d = c ? a : b;",
}

const COMPARISONS: Readonly<Record<string, string>> = { eq: "==", ne: "!=", lt: "<", gt: ">", ge: ">=" }

const SPECIAL: Readonly<Record<string, string>> = {
  "%ntid.x": "ntid",
  "%ctaid.x": "ctaid",
  "%tid.x": "tid",
  "%nctaid.x": "nctaid",
}

interface Kernel {
  readonly name: string
  readonly parameters: readonly string[]
  readonly text: string
}

/** Translates an operand: a register, a special register, a name of the module, or a number. */
function operand(text: string): string {
  if (text in SPECIAL) return SPECIAL[text]!
  if (text.startsWith("%")) return text.slice(1)
  if (/^\d|^0x/.test(text)) return BigInt(text) >= 2n ** 32n ? `${text}ull` : `${text}u`
  return `(u64)(uintptr_t)&${text}`
}

/** Translates `[register+offset]`, `[register]` or `[name]` to an address. */
function address(text: string): string {
  const [base, offset = "0"] = text.slice(1, -1).split("+")
  return `(${operand(base!)} + ${offset})`
}

function translate(line: string): string {
  if (line.endsWith(":")) return `${line};`
  const match = /^(?:@%(p\d+) )?([\w.]+)\s*(.*);$/.exec(line)
  if (!match) throw new Error(`not an instruction: ${line}`)
  const [, guard, name, rest] = match
  const operands = [...rest!.matchAll(/\{[^}]*\}|\[[^\]]*\]|[^,\s]+/g)].map(([text]) => text)
  const statement = instruction(name!, operands)
  return guard === undefined ? statement : `if (${guard}) ${statement}`
}

function instruction(name: string, operands: readonly string[]): string {
  const [first = "", second = "", third = ""] = operands
  const words = (text: string) =>
    text
      .slice(1, -1)
      .split(",")
      .map(word => operand(word.trim()))
  if (name === "ret") return "return;"
  if (name === "bra") return `goto ${first};`
  if (name === "mov.b64" && first.startsWith("{")) {
    const [low, high] = words(first)
    return `{ u64 t = ${operand(second)}; ${low} = t; ${high} = t >> 32; }`
  }
  if (name === "mov.b64") {
    const [low, high] = words(second)
    return `${operand(first)} = (u32)${low} | (u64)${high} << 32;`
  }
  if (name === "prmt.b32" && third === "0" && operands[3] === "0x0123")
    return `${operand(first)} = reversed(${operand(second)});`
  const load = /^ld\.(param|const|global)\.b(32|64)$/.exec(name)
  if (load?.[1] === "param") return `${operand(first)} = ${second.slice(1, -1)};`
  if (load) return `${operand(first)} = *(const u${load[2]} *)${address(second)};`
  const store = /^st\.global\.b(32|64)$/.exec(name)
  if (store) return `*(u${store[1]} *)${address(first)} = ${operand(second)};`
  if (name === "atom.global.add.u32")
    return `{ u32 *t = (u32 *)${address(second)}; ${operand(first)} = *t; *t += ${operand(third)}; }`
  const compare = /^setp\.(\w+)\.u(?:32|64)$/.exec(name)
  if (compare) return `${operand(first)} = ${operand(second)} ${COMPARISONS[compare[1]!]} ${operand(third)};`
  const statement = STATEMENTS[name]
  if (statement === undefined) throw new Error(`no such instruction: ${name}`)
  const by: Readonly<Record<string, string | undefined>> = {
    d: first,
    a: operands[1],
    b: operands[2],
    c: operands[3],
  }
  return `{ ${statement.replace(/\b[abcd]\b/g, letter => operand(by[letter]!))} }`
}

function kernels(ptx: string): Kernel[] {
  const entries = ptx.matchAll(/^\.visible \.entry (\w+)\(\n([^)]*)\n\)\n[^\n]*\n\{\n([\s\S]*?)^\}$/gm)
  return [...entries].map(([, name, list, body]) => {
    const parameters = [...list!.matchAll(/\.param \.b(\d+) (\w+)/g)].map(([, bits, name]) => `u${bits} ${name}`)
    const registers = [...body!.matchAll(/^ {2}\.reg \.(b32|b64|pred) %(\w)<(\d+)>;$/gm)].map(
      ([, type, kind, count]) => {
        const names = Array.from({ length: Number(count) }, (_, i) => `${kind}${i} = 0`)
        return `  ${type === "b64" ? "u64" : "u32"} ${names.join(", ")};`
      },
    )
    const lines = body!.split("\n").map(line => line.trim())
    const code = lines.filter(line => line !== "" && !line.startsWith(".reg")).map(line => `  ${translate(line)}`)
    const head = `static void thread_${name}(${["u32 ntid, u32 ctaid, u32 tid, u32 nctaid", ...parameters].join(", ")})`
    const args = parameters.map((parameter, i) => `(${parameter.split(" ")[0]})args[${i}]`)
    const launch = `void ${name}(u32 groups, u32 size, const u64 *args) {
  for (u32 g = 0; g < groups; g++)
    for (u32 t = 0; t < size; t++) thread_${name}(${["size, g, t, groups", ...args].join(", ")});
}`
    const text = `${head} {\n${registers.join("\n")}\n  u32 cc = 0;\n${code.join("\n")}\n}\n${launch}\n`
    return { name: name!, parameters, text }
  })
}

function constants(ptx: string): string[] {
  const tables = ptx.matchAll(/^\.const \.align 8 \.b64 (\w+)\[(\d+)\] = \{(.*)\};$/gm)
  const words = ptx.matchAll(/^\.const \.align 4 \.b32 (\w+) = (\w+);$/gm)
  return [
    ...[...tables].map(
      ([, name, count, list]) => `static const u64 ${name}[${count}] = {${list!.split(", ").map(operand).join(", ")}};`,
    ),
    ...[...words].map(([, name, word]) => `static const volatile u32 ${name} = ${word}u;`),
  ]
}

/** The C compiler, from `$CC`, otherwise from PATH; undefined if absent. */
export const compiler = process.env["CC"] ?? Bun.which("cc") ?? undefined

/** Translates a module, and opens it as a device with host memory. @throws Error if the compiler rejects the C text */
export function openTranslated(compiler: string, ptx: string, device: GpuDevice): Compute {
  const directory = mkdtempSync(join(tmpdir(), "ptx-to-c-"))
  const [source, library] = [join(directory, "kernels.c"), join(directory, "kernels.so")]
  const list = kernels(ptx)
  try {
    writeFileSync(source, [PRELUDE, ...constants(ptx), ...list.map(({ text }) => text)].join("\n"))
    const command = [compiler, "-O2", "-w", "-shared", "-fPIC", "-o", library, source]
    const { exitCode, stderr } = Bun.spawnSync(command)
    if (exitCode !== 0) throw new Error(stderr.toString())
    const types = list.map(({ name }) => [name, { args: ["u32", "u32", "ptr"], returns: "void" }] as const)
    return new HostCompute(device, dlopen(library, Object.fromEntries(types)).symbols as unknown as HostKernels)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

type HostKernels = Readonly<Record<string, (groups: number, size: number, args: BigUint64Array) => void>>

/** Runs every launch at once, on the calling thread. */
class HostCompute implements Compute {
  readonly #kernels: HostKernels
  readonly #memory = new Map<bigint, Uint8Array>()

  constructor(
    readonly device: GpuDevice,
    kernels: HostKernels,
  ) {
    this.#kernels = kernels
  }

  allocate(bytes: number): Memory {
    // An array without a dedicated buffer would be moved when it gets one.
    const memory = new Uint8Array(new ArrayBuffer(bytes))
    const handle = BigInt(ptr(memory))
    this.#memory.set(handle, memory)
    return { handle, bytes }
  }

  residentGroups(): undefined {}

  registers(): undefined {}

  free({ handle }: Memory): void {
    this.#memory.delete(handle)
  }

  clear(_queue: Queue, { handle }: Memory, bytes: number): void {
    this.#memory.get(handle)!.fill(0, 0, bytes)
  }

  launch(_queue: Queue, kernel: string, groups: number, groupSize: number, args: readonly Argument[]): void {
    const values = args.map(value =>
      "u32" in value ? BigInt(value.u32) : "u64" in value ? value.u64 : value.memory.handle,
    )
    this.#kernels[kernel]!(groups, groupSize, BigUint64Array.from(values))
  }

  fence = () => 0n
  wait = () => {}

  read({ handle }: Memory, into: Uint8Array): void {
    into.set(this.#memory.get(handle)!.subarray(0, into.length))
  }

  close(): void {
    this.#memory.clear()
  }
}

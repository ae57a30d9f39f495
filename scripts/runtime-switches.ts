/**
 * Environment variables that turn an executable made by Bun into something else: a plain Bun, one that loads a module
 * first, one that listens for a debugger, prints or writes what it does, or runs without a compiler. The runtime offers
 * no option against them, so the build makes their names unmatchable: no environment variable has a name that begins
 * with `=`.
 */
import { readFileSync, writeFileSync } from "node:fs"

/** Names, and beginnings of names: `BUN_INSPECT` also covers `BUN_INSPECT_CONNECT_TO` and `BUN_INSPECT_PRELOAD`. */
const NAMES = [
  "BUN_BE_BUN",
  "BUN_OPTIONS",
  "BUN_INSPECT",
  "BUN_ENABLE_CRASH_REPORTING",
  "BUN_BYTECODE_",
  "BUN_CONFIG_VERBOSE_FETCH",
  "BUN_DEBUG_",
  "BUN_FEATURE_FLAG_",
  "BUN_TCC_OPTIONS",
] as const

/** Options of the JavaScript engine. The runtime's code compares names with it byte by byte. */
const ENGINE_PREFIX = "BUN_JSC_"

export const RUNTIME_SWITCHES: readonly string[] = [...NAMES, ENGINE_PREFIX]

/** One place at which a runtime recognizes a variable. */
export interface Switch {
  readonly name: string
  /** Makes the name unmatchable there. */
  remove(): void
}

/**
 * Rewrites `path` in place. Its length stays the same; a signature over its pages must be renewed afterwards.
 * @throws Error if a name is absent: the runtime has renamed or removed it, and this list must follow
 */
export function removeRuntimeSwitches(path: string): void {
  const bytes = readFileSync(path)
  const switches = switchesIn(bytes)
  for (const name of RUNTIME_SWITCHES) {
    if (!switches.some(found => found.name === name))
      throw new Error(`the runtime does not contain the variable ${name}`)
  }
  for (const found of switches) found.remove()
  writeFileSync(path, bytes)
}

/** The places at which an executable for any platform recognizes one of `RUNTIME_SWITCHES`. */
export function switchesIn(bytes: Buffer): Switch[] {
  return [...NAMES.flatMap(name => named(bytes, name)), ...comparedX64(bytes), ...comparedArm64(bytes)]
}

function named(bytes: Buffer, name: string): Switch[] {
  const found: Switch[] = []
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + name.length)) {
    // In the runtime's own modules, `env.NAME` must stay an expression.
    if (bytes[at - 1] !== ".".charCodeAt(0)) found.push({ name, remove: () => void bytes.write("=", at, "latin1") })
  }
  return found
}

const COMPARED = Buffer.from(ENGINE_PREFIX)
const NO_MATCH = "=".charCodeAt(0)

/** `cmp byte [register + i], character` and a short `jne`, for each character. */
function comparedX64(bytes: Buffer): Switch[] {
  const [JNE, REX, CMP] = [0x75, 0x41, 0x80]
  const found: Switch[] = []
  const first = Buffer.of(COMPARED[0]!, JNE)
  for (let start = bytes.indexOf(first); start >= 0; start = bytes.indexOf(first, start + 1)) {
    let at = start + 3
    const continues = (character: number, i: number): boolean => {
      if (bytes[at] === REX) at += 1
      const holds = bytes[at] === CMP && bytes[at + 2] === i && bytes[at + 3] === character && bytes[at + 4] === JNE
      at += 6
      return holds
    }
    if (!COMPARED.subarray(1).every((character, i) => continues(character, i + 1))) continue
    found.push({ name: ENGINE_PREFIX, remove: () => void bytes.writeUInt8(NO_MATCH, start) })
  }
  return found
}

/** `cmp register, #character` in every third word, between a load and a branch. */
function comparedArm64(bytes: Buffer): Switch[] {
  const [STRIDE, REGISTER] = [12, 0x3e0]
  const compare = (character: number): number => (0x7100001f | (character << 10)) >>> 0
  const compares = (at: number, character: number): boolean =>
    (bytes.readUInt32LE(at) & ~REGISTER) >>> 0 === compare(character)
  const found: Switch[] = []
  for (let start = 0; start + COMPARED.length * STRIDE <= bytes.length; start += 4) {
    if (bytes[start + 3] !== 0x71) continue
    if (!COMPARED.every((character, i) => compares(start + i * STRIDE, character))) continue
    const remove = (): void => {
      const register = bytes.readUInt32LE(start) & REGISTER
      bytes.writeUInt32LE((compare(NO_MATCH) | register) >>> 0, start)
    }
    found.push({ name: ENGINE_PREFIX, remove })
  }
  return found
}

/** Loads x86-64 code whose entry points take a pointer in rdi and preserve what System V requires, on every system. */
import { attachCode, type LoadedCode, loadCode } from "../../native/memory.ts"
import { windowsThunk } from "./windows-thunk.ts"

/** Alignment of the thunk behind the code. */
const ALIGNMENT = 64

/**
 * @param code at a multiple of 64 bytes, as an assembler returns it
 * @param platform the system by whose convention the entry points are called
 * @returns entry points that take one pointer
 * @throws UnsupportedKernel as `loadCode`
 */
export function loadX64Code(code: Uint8Array, platform: NodeJS.Platform = process.platform): LoadedCode {
  if (platform !== "win32") return loadCode(code)
  const thunk = windowsThunk()
  const offset = thunkOffset(code)
  const both = new Uint8Array(offset + thunk.length)
  both.set(code)
  both.set(thunk, offset)
  return throughThunk(loadCode(both), offset)
}

/**
 * Returns code that this or another thread of the process loaded by `loadX64Code` and keeps.
 * @param address of the loaded code
 */
export function attachX64Code(
  address: number,
  code: Uint8Array,
  platform: NodeJS.Platform = process.platform,
): LoadedCode {
  const loaded = attachCode(address)
  return platform === "win32" ? throughThunk(loaded, thunkOffset(code)) : loaded
}

const thunkOffset = (code: Uint8Array): number => Math.ceil(code.length / ALIGNMENT) * ALIGNMENT

function throughThunk(loaded: LoadedCode, thunk: number): LoadedCode {
  const call = loaded.entry(thunk)
  return { ...loaded, entry: offset => pointer => call(pointer, loaded.address + offset) }
}

/** Loads x86-64 code whose entry points take a pointer in rdi and preserve what System V requires, on every system. */
import { type LoadedCode, loadCode } from "../../native/memory.ts"
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
  const thunkOffset = Math.ceil(code.length / ALIGNMENT) * ALIGNMENT
  const both = new Uint8Array(thunkOffset + thunk.length)
  both.set(code)
  both.set(thunk, thunkOffset)
  const loaded = loadCode(both)
  const call = loaded.entry(thunkOffset)
  return { ...loaded, entry: offset => pointer => call(pointer, loaded.address + offset) }
}

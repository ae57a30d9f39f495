/** Values of the registry. */
import { openedOnce } from "../once.ts"
import { openLibrary } from "./libraries.ts"

const HKEY_LOCAL_MACHINE = 0xffff_ffff_8000_0002n
/** RRF_RT_REG_SZ and RRF_RT_REG_BINARY. */
const TYPES = { text: 0x2, binary: 0x8 } as const
const MAX_BYTES = 1024

const signatures = {
  RegGetValueW: { args: ["u64", "ptr", "ptr", "u32", "ptr", "ptr", "ptr"], returns: "i32" },
} as const

const advapi32 = openedOnce(() => openLibrary("advapi32.dll", signatures).symbols)

/** A text value of the machine's registry; undefined if absent. */
export function registryText(key: string, name: string): string | undefined {
  const bytes = value(key, name, TYPES.text)
  return bytes?.toString("utf16le").replace(/\0.*$/s, "").trim() || undefined
}

/** A binary value of the machine's registry; undefined if absent. */
export const registryBinary = (key: string, name: string): Buffer | undefined => value(key, name, TYPES.binary)

function value(key: string, name: string, type: number): Buffer | undefined {
  const bytes = Buffer.alloc(MAX_BYTES)
  const length = Uint32Array.of(MAX_BYTES)
  const status = advapi32()?.RegGetValueW(HKEY_LOCAL_MACHINE, wide(key), wide(name), type, null, bytes, length)
  return status === 0 ? bytes.subarray(0, length[0]) : undefined
}

/** UTF-16 with a terminating zero. */
const wide = (text: string): Buffer => Buffer.from(`${text}\0`, "utf16le")

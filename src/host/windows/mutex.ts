/** A lock of the machine: a named mutex, which the system releases when the process ends. */
import type { Locked } from "../platform.ts"
import { openLibrary } from "./libraries.ts"

const FUNCTIONS = {
  CreateMutexW: { args: ["ptr", "i32", "ptr"], returns: "u64" },
  WaitForSingleObject: { args: ["u64", "u32"], returns: "u32" },
  ReleaseMutex: { args: ["u64"], returns: "i32" },
  CloseHandle: { args: ["u64"], returns: "i32" },
} as const

/** Functions of kernel32.dll. */
export interface MutexFunctions {
  /** @returns a handle; 0 if access is denied, as for a mutex of another user */
  CreateMutexW(security: null, owned: number, name: Uint16Array): bigint | number
  WaitForSingleObject(handle: bigint | number, milliseconds: number): number
  ReleaseMutex(handle: bigint | number): number
  CloseHandle(handle: bigint | number): number
}

/** WAIT_OBJECT_0 and WAIT_ABANDONED: the caller owns the mutex, in the second case because its owner crashed. */
const ACQUIRED = [0, 0x80]

/**
 * @param name without a backslash; it is looked up in the global namespace, which all sessions share
 * @param functions tests may replace it
 */
export function lockMutex(name: string, functions: MutexFunctions | undefined = openKernel32()): Locked {
  if (!functions) return { kind: "unlockable" }
  const text = `Global\\${name}\0`
  const handle = functions.CreateMutexW(
    null,
    0,
    Uint16Array.from(text, character => character.charCodeAt(0)),
  )
  if (BigInt(handle) === 0n) return { kind: "taken", process: "unknown" }
  if (!ACQUIRED.includes(functions.WaitForSingleObject(handle, 0))) {
    functions.CloseHandle(handle)
    return { kind: "taken", process: "unknown" }
  }
  const release = () => {
    functions.ReleaseMutex(handle)
    functions.CloseHandle(handle)
  }
  return { kind: "locked", lock: { release } }
}

function openKernel32(): MutexFunctions | undefined {
  try {
    return openLibrary("kernel32.dll", FUNCTIONS).symbols as unknown as MutexFunctions
  } catch {
    return undefined
  }
}

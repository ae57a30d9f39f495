/** Detects whether the process may generate machine code; hardened systems and tight memory limits forbid it. */
import { CFunction, type Pointer } from "bun:ffi"

/** An address that holds no function; it is never called. */
const NOWHERE = 4096 as Pointer

/** If false, JavaScript and WebAssembly are interpreted and `bun:ffi` does not work. */
export function canMakeMachineCode(): boolean {
  try {
    CFunction({ ptr: NOWHERE, args: [], returns: "i32" }).close()
    return true
  } catch {
    return false
  }
}

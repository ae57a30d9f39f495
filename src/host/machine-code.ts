/** Whether this process may make machine code while it runs, as a hardened system or a tight memory limit forbids. */
import { CFunction, type Pointer } from "bun:ffi"

/** Where no function is; it is never called. */
const NOWHERE = 4096 as Pointer

/** Without it JavaScript and WebAssembly are interpreted, and `bun:ffi` refuses to work. */
export function canMakeMachineCode(): boolean {
  try {
    CFunction({ ptr: NOWHERE, args: [], returns: "i32" }).close()
    return true
  } catch {
    return false
  }
}

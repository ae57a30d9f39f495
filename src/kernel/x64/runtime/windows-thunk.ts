/**
 * The bridge from Windows' calling convention to System V's.
 *
 * No unwind information is registered for the thunk or the code that it calls. Windows reads it only to pass an exception
 * on to the callers' handlers. This code calls no system function, raises no exception, accesses only its own pages and
 * constants, and uses a few words of the stack. A fault in it ends the process, with or without unwind information.
 * The garbage collector scans a suspended thread's stack from its rsp and does not unwind.
 */
import { Assembler } from "../assembler/assembler.ts"
import { immediate, memory, type Register, rcx, rdi, rdx, rsi, rsp, xmm } from "../assembler/operands.ts"

/** Registers that a callee preserves on Windows but not in System V, beside the vector registers below. */
const INTEGERS: readonly Register[] = [rdi, rsi]

/** Only their low 128 bits are preserved. */
const VECTORS: readonly Register[] = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(xmm)
const VECTOR_BYTES = 16

/** 8 more bytes align rsp to 16 for the call: it is 8 beyond a multiple on entry, and after two pushes. */
const FRAME_BYTES = VECTORS.length * VECTOR_BYTES + 8

/**
 * @returns code of a function by Windows' convention. Its arguments are a pointer (rcx) and a function's address (rdx); it
 *   calls the function by System V's convention with the pointer (rdi) and returns the result (rax).
 */
export function windowsThunk(): Uint8Array {
  const assembler = new Assembler()
  const saved = VECTORS.map((register, i) => ({ register, place: memory<Register>(rsp, i * VECTOR_BYTES) }))
  for (const register of INTEGERS) assembler.emit("push", [register])
  assembler.emit("sub", [rsp, immediate(FRAME_BYTES)])
  for (const { register, place } of saved) assembler.emit("movups", [place, register])
  assembler.emit("mov", [rdi, rcx])
  assembler.emit("call", [rdx])
  for (const { register, place } of saved) assembler.emit("movups", [register, place])
  assembler.emit("add", [rsp, immediate(FRAME_BYTES)])
  for (const register of INTEGERS.toReversed()) assembler.emit("pop", [register])
  assembler.emit("ret")
  return assembler.finish()
}

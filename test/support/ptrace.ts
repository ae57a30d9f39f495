/**
 * Stops or ends one thread of a child process from outside, by ptrace through `bun:ffi`: what a test of the built
 * executable has in place of a fault in it. Linux on x86-64, and only where the system lets a parent trace its child.
 */
import { dlopen } from "bun:ffi"
import { closeSync, openSync, readFileSync, readSync } from "node:fs"

const GETREGS = 12
const SETREGS = 13
const DETACH = 17
const SEIZE = 0x4206
const INTERRUPT = 0x4207

const WNOHANG = 1
const WALL = 0x4000_0000

const SYS_EXIT = 60n
/** Indices into `user_regs_struct`, 27 words of 64 bits. */
const REGISTERS = 27
const [RAX, RDI, ORIG_RAX, RIP] = [10, 14, 15, 16]

const open = () =>
  dlopen("libc.so.6", {
    ptrace: { args: ["i64", "i64", "ptr", "ptr"], returns: "i64" },
    wait4: { args: ["i32", "ptr", "i32", "ptr"], returns: "i32" },
  }).symbols

let symbols: ReturnType<typeof open> | undefined
const libc = () => (symbols ??= open())

/** A thread that stands still until it is let go. */
export class FrozenThread {
  constructor(
    private readonly pid: number,
    private readonly thread: number,
  ) {}

  /** Lets it run on from where it stands. */
  resume(): void {
    call(DETACH, this.thread)
  }

  /** Has it end itself, and nothing but itself, without a word to anyone. */
  async end(): Promise<void> {
    const registers = new BigInt64Array(REGISTERS)
    call(GETREGS, this.thread, registers)
    registers[RAX] = SYS_EXIT
    registers[RDI] = 0n
    // In no system call that would have to be begun again.
    registers[ORIG_RAX] = -1n
    registers[RIP] = systemCallIn(this.pid)
    call(SETREGS, this.thread, registers)
    this.resume()
  }

  /** Takes note of its end: until then the system keeps it, and its process with it. To be called where that may end. */
  reap(): void {
    libc().wait4(this.thread, null, WNOHANG | WALL, null)
  }
}

/** Stops a thread wherever it is. @returns why it could not be stopped, where it could not */
export async function freeze(pid: number, thread: number): Promise<FrozenThread | string> {
  if (process.platform !== "linux" || process.arch !== "x64") return "threads are frozen on x86-64 Linux only"
  if (libc().ptrace(SEIZE, thread, null, null) !== 0n) return "this system does not let a parent trace its child"
  call(INTERRUPT, thread)
  while (libc().wait4(thread, null, WNOHANG | WALL, null) !== thread) await Bun.sleep(1)
  return new FrozenThread(pid, thread)
}

function call(request: number, thread: number, data: BigInt64Array | null = null): void {
  if (libc().ptrace(request, thread, null, data) !== 0n) throw new Error(`ptrace ${request} of thread ${thread} failed`)
}

/** The address of an instruction that calls the system: the kernel maps some into every process. */
function systemCallIn(pid: number): bigint {
  const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$/m.exec(readFileSync(`/proc/${pid}/maps`, "utf8"))!
  const [start, end] = [Number(`0x${from}`), Number(`0x${to}`)]
  const code = Buffer.alloc(end - start)
  const memory = openSync(`/proc/${pid}/mem`, "r")
  readSync(memory, code, 0, code.length, start)
  closeSync(memory)
  const at = code.indexOf(Uint8Array.of(0x0f, 0x05))
  if (at < 0) throw new Error("no system call in the vdso")
  return BigInt(start + at)
}

/**
 * Stops or ends one thread of a child process by ptrace through `bun:ffi`, to simulate a fault in the built executable.
 * x86-64 Linux only, and only if the system lets a parent trace its child.
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

/** A stopped thread. */
export class FrozenThread {
  constructor(
    private readonly pid: number,
    readonly thread: number,
  ) {}

  /** Lets the thread continue. */
  resume(): void {
    call(DETACH, this.thread)
  }

  /** True if the thread is in machine code that the process itself mapped, where it holds no lock of the runtime. */
  get isInKernel(): boolean {
    const at = this.#registers()[RIP]!
    return readFileSync(`/proc/${this.pid}/maps`, "utf8")
      .split("\n")
      .some(line => isKernel(line, at))
  }

  #registers(): BigInt64Array {
    const registers = new BigInt64Array(REGISTERS)
    call(GETREGS, this.thread, registers)
    return registers
  }

  /** Makes the thread exit; the rest of the process is not notified. */
  async end(): Promise<void> {
    const registers = this.#registers()
    registers[RAX] = SYS_EXIT
    registers[RDI] = 0n
    // No system call to restart.
    registers[ORIG_RAX] = -1n
    registers[RIP] = systemCallIn(this.pid)
    call(SETREGS, this.thread, registers)
    this.resume()
  }

  /** Waits for the thread without blocking: an ended thread, and with it its process, is a zombie until then. */
  reap(): void {
    libc().wait4(this.thread, null, WNOHANG | WALL, null)
  }
}

/** The reason why `freeze` cannot work on this system; undefined if it can. Tests are skipped with it. */
export async function freezeRefusal(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64") return "threads are frozen on x86-64 Linux only"
  const child = Bun.spawn(["sleep", "60"])
  try {
    const isAllowed = libc().ptrace(SEIZE, child.pid, null, null) === 0n
    return isAllowed ? undefined : "this system does not let a parent trace its child"
  } finally {
    child.kill("SIGKILL")
    await child.exited
  }
}

/** Stops a thread at any instruction. @throws Error if the system does not allow it */
export async function freeze(pid: number, thread: number): Promise<FrozenThread> {
  call(SEIZE, thread)
  call(INTERRUPT, thread)
  while (libc().wait4(thread, null, WNOHANG | WALL, null) !== thread) await Bun.sleep(1)
  return new FrozenThread(pid, thread)
}

function call(request: number, thread: number, data: BigInt64Array | null = null): void {
  if (libc().ptrace(request, thread, null, data) !== 0n) throw new Error(`ptrace ${request} of thread ${thread} failed`)
}

/** The runtime's own compiled code is in one large mapping. */
const MAX_KERNEL_BYTES = 2n ** 20n

/** @returns true if a line of `/proc/PID/maps` is a kernel's code that contains the address */
function isKernel(line: string, address: bigint): boolean {
  const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) r-xp 00000000 00:00 0 *$/.exec(line) ?? []
  if (!from || !to) return false
  const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)]
  return end - start <= MAX_KERNEL_BYTES && address >= start && address < end
}

/** Address of a system call instruction: the vdso, which is mapped into every process, contains some. */
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

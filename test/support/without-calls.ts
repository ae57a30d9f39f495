/**
 * Becomes the command line behind a list of system calls such as `clone3,sendmmsg`, which the kernel then answers with EPERM,
 * as under a container's seccomp filter. Ends with 99 where the system has no such thing.
 */
import { dlopen, ptr } from "bun:ffi"
import { NO_SUCH_THING } from "./without-machine-code.ts"

/** Of the architectures in the order of `ARCHITECTURES`. */
const NUMBERS: Readonly<Record<string, readonly [number, number]>> = {
  clone3: [435, 435],
  prlimit64: [302, 261],
  sendmmsg: [307, 269],
}
const ARCHITECTURES = ["x64", "arm64"]

const PR_SET_SECCOMP = 22
const PR_SET_NO_NEW_PRIVS = 38
const SECCOMP_MODE_FILTER = 2n

const LOAD_NUMBER = [0x20, 0, 0, 0] as const
const isNumber = (number: number) => [0x15, 0, 1, number] as const
const answer = (value: number) => [0x06, 0, 0, value] as const
const ALLOW = answer(0x7fff0000)
const REFUSE = answer(0x00050001)

/** A BPF program (seccomp(2)). */
function filterOf(numbers: readonly number[]): Buffer {
  const program = [LOAD_NUMBER, ...numbers.flatMap(number => [isNumber(number), REFUSE]), ALLOW]
  const bytes = Buffer.alloc(program.length * 8)
  for (const [i, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8)
    bytes.writeUInt8(jumpTrue, i * 8 + 2)
    bytes.writeUInt8(jumpFalse, i * 8 + 3)
    bytes.writeUInt32LE(k, i * 8 + 4)
  }
  return bytes
}

if (import.meta.main) {
  const architecture = ARCHITECTURES.indexOf(process.arch)
  if (process.platform !== "linux" || architecture < 0) process.exit(NO_SUCH_THING)
  const { symbols } = dlopen("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    execv: { args: ["ptr", "ptr"], returns: "i32" },
  })
  const [calls = "", ...command] = process.argv.slice(2)
  const instructions = filterOf(calls.split(",").map(call => NUMBERS[call]![architecture]!))
  const program = new BigUint64Array([BigInt(instructions.length / 8), BigInt(ptr(instructions))])
  const texts = command.map(text => Buffer.from(`${text}\0`))
  const argv = BigUint64Array.from([...texts.map(text => BigInt(ptr(text))), 0n])
  const isFiltered =
    symbols.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n) === 0 &&
    symbols.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, BigInt(ptr(program)), 0n, 0n) === 0
  if (isFiltered) symbols.execv(texts[0]!, argv)
  process.exit(NO_SUCH_THING)
}

/**
 * Becomes the command line behind it, which then gets no executable memory that was writable, as under systemd's
 * `MemoryDenyWriteExecute=`: Linux 6.3. Ends with 99 where the system has no such thing.
 */
import { dlopen, ptr } from "bun:ffi"

const PR_SET_MDWE = 65
const REFUSE_EXEC_GAIN = 1n
export const NO_SUCH_THING = 99

if (import.meta.main) {
  const { symbols } = dlopen("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    execv: { args: ["ptr", "ptr"], returns: "i32" },
  })
  const texts = process.argv.slice(2).map(text => Buffer.from(`${text}\0`))
  const argv = BigUint64Array.from([...texts.map(text => BigInt(ptr(text))), 0n])
  if (symbols.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0n, 0n, 0n) === 0) symbols.execv(texts[0]!, argv)
  process.exit(NO_SUCH_THING)
}

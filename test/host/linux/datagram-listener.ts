/** The service manager's end of a notify socket: a real AF_UNIX datagram socket, bound by libc and never waited on. */
import { dlopen } from "bun:ffi"
import { unixAddress } from "../../../src/host/linux/unix-datagram.ts"

const AF_UNIX = 1
const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40

const signatures = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
} as const

function openLibc() {
  try {
    return dlopen("libc.so.6", signatures).symbols
  } catch {
    return dlopen("libc.so", signatures).symbols
  }
}

/** Listens at a path or `@abstract` name; `receive` gives the next datagram, undefined when none is there. */
export function datagramListener(name: string) {
  const libc = openLibc()
  const address = unixAddress(name)!
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM, 0)
  if (libc.bind(socket, address, address.length) !== 0) throw new Error(`cannot bind ${name}`)
  const buffer = new Uint8Array(4096)
  return {
    name,
    receive() {
      const length = Number(libc.recv(socket, buffer, buffer.length, MSG_DONTWAIT))
      return length < 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, length))
    },
    close: () => void libc.close(socket),
  }
}

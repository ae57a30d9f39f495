/** One datagram to a Unix socket, path or abstract (unix(7)); Bun has stream sockets only. */
import { libc } from "./libc.ts"

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40

/** Bytes of `sun_path`. */
const pathBytes = 108

/**
 * The `sockaddr_un` of an absolute path, or of an abstract name written `@name`: the family, 16 bits in the machine's
 * order, then the path with its final 0, or a 0 and the name. Undefined for anything else, and for a name too long.
 */
export function unixAddress(name: string): Uint8Array | undefined {
  if (!name.startsWith("/") && !name.startsWith("@")) return undefined
  const path = new TextEncoder().encode(name.startsWith("@") ? `\0${name.slice(1)}` : `${name}\0`)
  if (path.length > pathBytes) return undefined
  const address = new Uint8Array(2 + path.length)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX
  address.set(path, 2)
  return address
}

/**
 * Sends `message` as one datagram from a socket of its own.
 *
 * @param wait whether to block while the receiver's queue is full, rather than give up
 * @returns whether it was sent
 */
export function sendDatagram(address: Uint8Array, message: string, wait: boolean): boolean {
  const c = libc()
  const socket = c?.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) ?? -1
  if (c === undefined || socket < 0) return false
  const bytes = new TextEncoder().encode(message)
  const sent = c.sendto(socket, bytes, bytes.length, wait ? 0 : MSG_DONTWAIT, address, address.length)
  c.close(socket)
  return Number(sent) === bytes.length
}

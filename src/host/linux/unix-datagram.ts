/** Sends datagrams to Unix sockets, by path or abstract name (unix(7)); Bun supports stream sockets only. */
import { libc } from "./libc.ts"

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40

/** Size of `sun_path`. */
const PATH_BYTES = 108

/**
 * The `sockaddr_un` of an absolute path or an abstract name `@name`: the family (16 bits, native byte order), then the path
 * and a 0, or a 0 and the name. Undefined for any other name, and for one over 108 bytes.
 */
export function unixAddress(name: string): Uint8Array | undefined {
  if (!name.startsWith("/") && !name.startsWith("@")) return undefined
  const path = new TextEncoder().encode(name.startsWith("@") ? `\0${name.slice(1)}` : `${name}\0`)
  if (path.length > PATH_BYTES) return undefined
  const address = new Uint8Array(2 + path.length)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX
  address.set(path, 2)
  return address
}

/**
 * Sends `message` as one datagram from a new socket.
 *
 * @param wait true: blocks while the receiver's queue is full; false: drops the message
 * @returns true if the message was sent
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

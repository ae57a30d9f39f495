/**
 * UDP sockets and unreachable peers. With `IP_RECVERR` (ip(7)), which QUIC's sockets set, a refusal that one peer's system
 * sent makes the next datagram to any peer fail, and the QUIC engine then sends nothing for a second. Miners that were
 * killed could keep a node from answering others for minutes.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { libc } from "./libc.ts"

/** Level and option: SOL_IP and IP_RECVERR, SOL_IPV6 and IPV6_RECVERR. */
const REPORT_ERRORS = [
  [0, 11],
  [41, 25],
] as const

const TABLES = ["/proc/self/net/udp", "/proc/self/net/udp6"]

/** Turns reports of refusals off for this process's UDP sockets on a local port; without effect if they are not found. */
export function ignoreUnreachablePeers(port: number): void {
  const off = new Int32Array(1)
  for (const socket of socketsOn(port)) {
    for (const [level, option] of REPORT_ERRORS) libc()?.setsockopt(socket, level, option, off, off.byteLength)
  }
}

/** File descriptors. */
function socketsOn(port: number): number[] {
  try {
    const inodes = new Set(TABLES.flatMap(table => inodesOn(port, readFileSync(table, "utf8"))))
    return readdirSync("/proc/self/fd")
      .map(Number)
      .filter(fd => inodes.has(targetOf(fd)))
  } catch {
    return []
  }
}

/** @param table text of `/proc/net/udp` @returns `socket:[INODE]` of each socket on the port */
export function inodesOn(port: number, table: string): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  return table
    .split("\n")
    .map(line => line.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(suffix))
    .map(fields => `socket:[${fields[9]}]`)
}

function targetOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ""
  }
}

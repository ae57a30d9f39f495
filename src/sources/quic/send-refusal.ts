/** Whether this system lets a datagram out: the QUIC library hides its refusal, so that a node seems to be silent. */
import { isIPv6 } from "node:net"
import type { PeerAddress } from "./transport.ts"

const CAUSES: Readonly<Record<string, string>> = {
  EPERM: "a firewall or seccomp filter",
  EACCES: "a firewall or seccomp filter",
  ENETUNREACH: "no route",
  EHOSTUNREACH: "no route",
}

/**
 * Sends an empty datagram, which every QUIC node ignores.
 * @returns why this system refuses to send to the address: `EPERM (a firewall or seccomp filter)`; undefined if it does not
 */
export async function sendRefusal({ ip, port }: PeerAddress): Promise<string | undefined> {
  try {
    const socket = await Bun.udpSocket({ hostname: isIPv6(ip) ? "::" : "0.0.0.0" })
    try {
      socket.send("", port, ip)
    } finally {
      socket.close()
    }
    return undefined
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException
    return CAUSES[code] ? `${code} (${CAUSES[code]})` : message
  }
}

import { lookup } from "node:dns/promises"
import { isIP } from "node:net"

/** A host's IP addresses of both families, in the order to try them. Rejects if the host has no address. */
export type Resolve = (host: string) => Promise<readonly string[]>

/** Asks the system's resolver; an IP address resolves to itself. */
export const resolveHost: Resolve = async host => {
  if (isIP(host)) return [host]
  const found = await lookup(host, { all: true, order: "verbatim" })
  return [...new Set(found.map(({ address }) => address))]
}

import { lookup } from "node:dns/promises"
import { isIP } from "node:net"

/** A host's IP addresses, of both families, in the order to try them. Rejects where there are none. */
export type Resolve = (host: string) => Promise<readonly string[]>

/** By the system's resolver; an IP address is its own and only one. */
export const resolveHost: Resolve = async host => {
  if (isIP(host)) return [host]
  const found = await lookup(host, { all: true, order: "verbatim" })
  return [...new Set(found.map(({ address }) => address))]
}

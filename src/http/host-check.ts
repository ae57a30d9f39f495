/**
 * Checks the Host header against DNS rebinding: a web page whose name resolves to this machine could otherwise read what
 * is served here. Such a page cannot make a browser send any name but the page's.
 */
import { isIPv4, isIPv6 } from "node:net"
import { machineNames } from "./machine-names.ts"

/**
 * The host of a Host header in lower case, without port, brackets and trailing dot; undefined if the header is absent,
 * empty, malformed or sent twice.
 */
export function hostOf(header: string | null): string | undefined {
  const [, bracketed, name, port = ""] = /^(?:\[([^\]]*)\]|([A-Za-z0-9._~-]+))(?::(\d*))?$/.exec(header ?? "") ?? []
  if (Number(port) > 65_535) return undefined
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed.toLowerCase() : undefined
  const host = name?.toLowerCase().replace(/\.$/, "")
  return host === "" ? undefined : host
}

/** Returns whether a host, as returned by `hostOf`, is accepted: an address, `localhost`, or one of `names`. */
export function hostCheck(names: readonly string[]): (host: string) => boolean {
  const accepted = new Set(["localhost", ...names.map(name => name.toLowerCase().replace(/\.$/, ""))])
  return host => isIPv4(host) || isIPv6(host) || accepted.has(host)
}

/** A check that accepts the machine's names, the name on which it listens, and `allowed`. */
export function machineHostCheck(listening: string, allowed: readonly string[] = []): (host: string) => boolean {
  return hostCheck([...machineNames(), listening, ...allowed])
}

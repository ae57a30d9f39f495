/**
 * Parsers of option values. A parser returns the value or throws `Malformed` with a description of valid values. The
 * caller knows whether the text came from a flag, a variable or a file, and whether it may be shown.
 */
import { isIPv6 } from "node:net"

/** The type of the value in a configuration file; on a command line every value is text. */
export type Kind = "text" | "number" | "boolean" | "path"

export interface Parser<T> {
  readonly kind: Kind
  /** All valid values, if they are few. */
  readonly choices?: readonly string[]
  /** @throws Malformed */
  parse(text: string): T
}

/** The text is not a valid value; `wanted` describes one, e.g. "a whole number from 1 to 65535". */
export class Malformed extends Error {
  override readonly name = "Malformed"

  constructor(readonly wanted: string) {
    super(`not ${wanted}`)
  }
}

const DECIMAL = /^\d+$/
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/
const HOST_NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?$/
const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600 }

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["1", true],
  ["true", true],
  ["yes", true],
  ["0", false],
  ["false", false],
  ["no", false],
])

export const boolean: Parser<boolean> = {
  kind: "boolean",
  parse: text => BOOLEANS.get(text.toLowerCase()) ?? refuse("1, 0, true, false, yes or no"),
}

export const isBoolean = (text: string): boolean => BOOLEANS.has(text.toLowerCase())

/** Any text. */
export const text: Parser<string> = { kind: "text", parse: value => value }

/** Text without surrounding quotes. */
export const unquotedText: Parser<string> = {
  kind: "text",
  parse: value => (/^(["']).*\1$/.test(value) ? refuse("text without quotes around it") : value),
}

/** Control, format and unassigned characters, and spaces outside ASCII. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u

/** Of these, those that no file name needs; joiners shape letters and emoji. */
const INVISIBLE_IN_PATH = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** Describes the first invisible character: `U+200B at position 7`, counted from 1. */
export function invisibleCharacter(value: string, kind: Kind = "text"): string | undefined {
  const invisible = kind === "path" ? INVISIBLE_IN_PATH : INVISIBLE
  const at = [...value].findIndex(character => invisible.test(character))
  if (at < 0) return
  const code = [...value][at]!.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")
  return `U+${code} at position ${at + 1}`
}

/** Labels of a metric: `site=a,rack=3`. */
export const labels: Parser<Readonly<Record<string, string>>> = {
  kind: "text",
  parse(value) {
    const entries = value.split(",").map(entry => {
      const [, name = "", text = ""] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/s.exec(entry) ?? []
      const isName = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.startsWith("__") && name !== "name"
      if (!isName || text === "") refuse(LABELS)
      return [name, text] as const
    })
    return new Set(entries.map(([name]) => name)).size === entries.length ? Object.fromEntries(entries) : refuse(LABELS)
  },
}

const LABELS = "NAME=VALUE,… with different names of letters, digits and underscores, other than name"

/** A path; in a configuration file, relative to the directory of that file. */
export const path: Parser<string> = { kind: "path", parse: value => value }

/** A whole number, `min` … `max`, both below 2^53. */
export function integer(min: number, max: number): Parser<number> {
  return {
    kind: "number",
    parse(value) {
      const number = Number(value)
      return DECIMAL.test(value) && number >= min && number <= max
        ? number
        : refuse(`a whole number from ${min} to ${max}`)
    },
  }
}

/** A whole number of any size, `min` … `max`. @param maxText `max` as written in an error */
export function bigInteger(min: bigint, max: bigint, maxText: string): Parser<bigint> {
  return {
    kind: "number",
    parse(value) {
      const number = DECIMAL.test(value) && value.length <= 200 ? BigInt(value) : -1n
      return number >= min && number <= max ? number : refuse(`a whole number from ${min} to ${maxText}`)
    },
  }
}

/** A duration in seconds, `min` … `max`: `90`, `1.5`, `250ms`, `10s`, `5m`, `2h`. */
export function duration(min: number, max: number): Parser<number> {
  return {
    kind: "number",
    parse(value) {
      const [, digits, unit = "s"] = DURATION.exec(value) ?? []
      const seconds = Number(digits) * SECONDS[unit as keyof typeof SECONDS]
      return seconds >= min && seconds <= max
        ? seconds
        : refuse(`seconds from ${min} to ${max}, or a duration such as 500ms, 10s or 5m`)
    },
  }
}

/** A number of minutes, `min` … `max`. */
export function minutes(min: number, max: number): Parser<number> {
  return {
    kind: "number",
    parse(value) {
      const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN
      return number >= min && number <= max ? number : refuse(`minutes from ${min} to ${max}`)
    },
  }
}

export function oneOf<const T extends string>(...choices: readonly T[]): Parser<T> {
  return {
    kind: "text",
    choices,
    parse: value => choices.find(choice => choice === value) ?? refuse(choices.join(" or ")),
  }
}

/** An HTTP or HTTPS URL. */
export const httpUrl: Parser<URL> = {
  kind: "text",
  parse(value) {
    const url = URL.parse(value)
    return url && /^https?:$/.test(url.protocol) ? url : refuse("a URL such as http://127.0.0.1:9900")
  },
}

/** An IP address (IPv6 with or without brackets) or a host name. */
export const host: Parser<string> = {
  kind: "text",
  parse: value => hostOf(value) ?? refuse("a host name or an IP address"),
}

/** Host names and IP addresses, separated by commas. */
export const hosts: Parser<readonly string[]> = {
  kind: "text",
  parse: value => value.split(",").map(item => hostOf(item.trim()) ?? refuse("host names separated by commas")),
}

export interface Address {
  /** A host name or an IP address, IPv6 without brackets. */
  readonly host: string
  /** 1 … 65535 */
  readonly port: number
}

/** `host:port`, `[v6]:port`, or either without the port. */
export function address(defaultPort: number): Parser<Address> {
  return {
    kind: "text",
    parse: value =>
      addressOf(value.replace(/\/$/, ""), defaultPort) ?? refuse("HOST or HOST:PORT, an IPv6 address in brackets"),
  }
}

/** @returns undefined if `value` is not an address, or lacks a port and there is no default */
export function addressOf(value: string, defaultPort?: number): Address | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(value) ?? []
  if (bracketed !== undefined && !isIPv6(bracketed)) return
  const name = bracketed ?? (plain === undefined ? undefined : hostOf(plain))
  const port = digits === undefined ? defaultPort : Number(digits)
  return name === undefined || port === undefined || port < 1 || port > 65535 ? undefined : { host: name, port }
}

/** `host:port` in URL notation, with IPv6 in brackets. */
export function addressText({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`
}

function hostOf(value: string): string | undefined {
  const bare = value.startsWith("[") && value.endsWith("]") ? value.slice(1, -1) : value
  if (isIPv6(bare)) return bare
  return HOST_NAME.test(value) && value.length <= 253 && !isMalformedIPv4(value) ? value : undefined
}

/** A name that consists of digits and dots only must be a valid IPv4 address. */
function isMalformedIPv4(name: string): boolean {
  if (!/^[\d.]+$/.test(name)) return false
  const parts = name.split(".")
  return parts.length !== 4 || parts.some(part => !/^\d{1,3}$/.test(part) || Number(part) > 255)
}

/** @throws Malformed */
export function refuse(wanted: string): never {
  throw new Malformed(wanted)
}

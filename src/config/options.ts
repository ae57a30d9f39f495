/**
 * Every option, declared once: from a row follow its flag (`cpuWorkers` is `--cpu-workers`), its variable
 * (`MINER_CPU_WORKERS`), its key in a configuration file (`cpu_workers`), its check, its help and its documentation.
 */
import type { Command } from "./commands.ts"
import {
  address,
  bigInteger,
  boolean,
  duration,
  host,
  integer,
  oneOf,
  type Parser,
  path,
  text,
  visibleText,
} from "./parse.ts"
import { cpuAffinity, engineName, gpuSelection } from "./selections.ts"
import { NODE_PORT, sourceUrls } from "./source-url.ts"

export interface Option {
  readonly parser: Parser<unknown>
  readonly commands: readonly Command[]
  readonly help: string
  /** What stands for the value in help: `HOST:PORT`. None for a boolean. */
  readonly value?: string
  /** As an operator would write it; without one the value is undefined where it was not given. */
  readonly default?: string
  /** Other names, as flags are written: `workers` is `--workers` and MINER_WORKERS. */
  readonly aliases?: readonly string[]
  /** The value never appears in an error. */
  readonly secret?: boolean
  /** The flag can be given several times; the texts are joined by commas. */
  readonly repeatable?: boolean
  /** A flag only: neither a variable nor a key in the configuration file. */
  readonly flagOnly?: boolean
  /** No key in the configuration file. */
  readonly notInFile?: boolean
  /** Also a key of the file's `[[source]]` tables; seen by commands as part of a source, and nowhere else. */
  readonly perSource?: boolean
}

const SOURCED = ["serve", "demo"] as const
const MINING = ["serve", "demo", "api"] as const
const HASHING = ["serve", "demo", "api", "benchmark"] as const
const GPUS = ["serve", "demo", "api", "benchmark", "devices"] as const
const JUDGING = ["node", "pool", "demo"] as const
const ALL = ["serve", "benchmark", "hash", "devices", "node", "pool", "api", "demo"] as const

export const OPTIONS = {
  nodeAddr: option({
    parser: address(NODE_PORT),
    commands: ["serve"],
    value: "HOST[:PORT]",
    default: `127.0.0.1:${NODE_PORT}`,
    help: "The node's address, an IPv6 address in brackets; short for --url quic://HOST:PORT",
  }),
  url: option({
    parser: sourceUrls,
    commands: SOURCED,
    value: "URL",
    repeatable: true,
    perSource: true,
    help: "Where work comes from: quic://HOST:PORT, stratum+tcp://HOST:PORT or stratum+tls://HOST:PORT; several, in order of preference, by commas or by repeating the flag",
  }),
  authToken: option({
    parser: text,
    commands: MINING,
    value: "TOKEN",
    secret: true,
    perSource: true,
    help: "The token that the node or pool knows this miner by; safer in a file, since other users can see flags",
  }),
  authTokenFile: option({
    parser: path,
    commands: MINING,
    value: "FILE",
    perSource: true,
    help: "A file that holds the token, read again before every reconnect",
  }),
  tlsCertSha256: option({
    parser: text,
    commands: SOURCED,
    value: "HEX",
    secret: true,
    perSource: true,
    help: "SHA-256 of the certificate that the node or pool must show, 64 hexadecimal digits",
  }),
  tlsCertSha256File: option({
    parser: path,
    commands: SOURCED,
    value: "FILE",
    perSource: true,
    help: "A file that holds the certificate's SHA-256, read again before every reconnect",
  }),
  login: option({
    parser: visibleText,
    commands: SOURCED,
    value: "ADDRESS.WORKER",
    perSource: true,
    help: "A Stratum pool's login; {name} stands for the miner's name",
  }),
  password: option({
    parser: text,
    commands: SOURCED,
    value: "TEXT",
    secret: true,
    perSource: true,
    help: "A Stratum pool's password; x where none is given",
  }),
  passwordFile: option({
    parser: path,
    commands: SOURCED,
    value: "FILE",
    perSource: true,
    help: "A file that holds a Stratum pool's password",
  }),
  keepMining: option({
    parser: boolean,
    commands: SOURCED,
    default: "no",
    perSource: true,
    help: "Search on in a QUIC pool's job after a result, for pools that do not send it again",
  }),
  name: option({
    parser: visibleText,
    commands: MINING,
    value: "TEXT",
    help: "The miner's name, for {name} in logins and tokens; the host name if absent",
  }),
  failoverPatience: option({
    parser: duration(1, 3600),
    commands: SOURCED,
    value: "SECONDS",
    default: "10",
    help: "How long a source may have no job before the next one is started",
  }),
  config: option({
    parser: path,
    commands: HASHING,
    value: "FILE",
    notInFile: true,
    help: "A TOML or JSON file of options, with [[source]] tables",
  }),
  cpuWorkers: option({
    parser: integer(0, 4096),
    commands: HASHING,
    value: "N",
    aliases: ["workers"],
    help: "CPU workers, 0 for none; half of the effective CPUs where it is not given",
  }),
  cpuAffinity: option({
    parser: cpuAffinity,
    commands: HASHING,
    value: "auto|none|CPULIST",
    default: "auto",
    help: "Which CPUs the workers are pinned to: physical cores first, not at all, or a list such as 0-3,8",
  }),
  cpuBatchSize: option({
    parser: integer(1, 2 ** 31),
    commands: HASHING,
    value: "N",
    help: "Accepted, and without effect: a worker looks for a new job every few hundred nonces",
  }),
  engine: option({
    parser: engineName,
    commands: ["serve", "demo", "api", "benchmark", "hash"],
    value: "NAME",
    default: "auto",
    help: "The CPU engine: auto (the fastest that passes its self-test), wasm or another by name; for hash also reference",
  }),
  recalibrate: option({
    parser: boolean,
    commands: HASHING,
    default: "no",
    help: "Measure the engines again instead of using the last start's outcome",
  }),
  gpuDevices: option({
    parser: gpuSelection,
    commands: GPUS,
    value: "N|LIST",
    default: "all",
    help: "GPUs: a count, 0 for none, or a list of indexes or PCI addresses such as 0,2 (one alone: 2,)",
  }),
  gpuBatchSize: option({
    parser: integer(1, 2 ** 40),
    commands: HASHING,
    value: "N",
    help: "Nonces of one GPU launch; measured where it is not given",
  }),
  gpuThrottleMs: option({
    parser: integer(0, 2 ** 31 - 1),
    commands: HASHING,
    value: "MS",
    default: "0",
    help: "Pause of a GPU between two launches, in milliseconds",
  }),
  allowIntegrated: option({
    parser: boolean,
    commands: GPUS,
    default: "no",
    help: "Mine on integrated GPUs also where there is a discrete one",
  }),
  metricsPort: option({
    parser: integer(0, 65_535),
    commands: MINING,
    value: "PORT",
    help: "Serve metrics, health and the page on this port, 0 for any free one; off where it is not given",
  }),
  metricsHost: option({
    parser: host,
    commands: MINING,
    value: "HOST",
    aliases: ["metrics-bind"],
    default: "127.0.0.1",
    help: "The address that the metrics are served on",
  }),
  stateDir: option({
    parser: path,
    commands: GPUS,
    value: "DIR",
    help: "Where measurements are kept between starts; $STATE_DIRECTORY, else the user's state directory",
  }),
  host: option({
    parser: host,
    commands: ["node", "pool", "api"],
    value: "HOST",
    default: "127.0.0.1",
    flagOnly: true,
    help: "The address to listen on",
  }),
  port: option({
    parser: integer(0, 65_535),
    commands: ["node", "pool", "api"],
    value: "PORT",
    default: String(NODE_PORT),
    flagOnly: true,
    help: "The port to listen on, 0 for any free one",
  }),
  dir: option({
    parser: path,
    commands: ["node"],
    value: "DIR",
    default: "quantus-devnode",
    flagOnly: true,
    help: "Where the token, the certificate and its SHA-256 are kept; made at the first start",
  }),
  difficulty: option({
    parser: bigInteger(1n, 2n ** 512n - 1n, "2^512 - 1"),
    commands: JUDGING,
    value: "N",
    default: "300000",
    flagOnly: true,
    help: "Hashes that a seal or share takes on average",
  }),
  intervalMs: option({
    parser: integer(1, 86_400_000),
    commands: JUDGING,
    value: "MS",
    default: "12000",
    flagOnly: true,
    help: "A job that is not sealed is replaced after this many milliseconds",
  }),
  seals: option({
    parser: integer(1, 1_000_000),
    commands: ["demo"],
    value: "N",
    default: "5",
    flagOnly: true,
    help: "Accepted seals to end after",
  }),
  duration: option({
    parser: duration(0.1, 86_400),
    commands: ["benchmark"],
    value: "SECONDS",
    default: "10",
    flagOnly: true,
    help: "How long to measure",
  }),
  json: option({
    parser: boolean,
    commands: ["benchmark", "devices"],
    default: "no",
    flagOnly: true,
    help: "Print the outcome as JSON, alone on standard output",
  }),
  verbose: option({
    parser: boolean,
    commands: ALL,
    default: "no",
    help: "Log details",
  }),
  logFormat: option({
    parser: oneOf("pretty", "json"),
    commands: ALL,
    value: "pretty|json",
    default: "pretty",
    help: "Log lines for people, or a JSON object each",
  }),
} as const

export type Options = typeof OPTIONS
export type OptionName = keyof Options

/** What an option's value is once everything was read. */
export type Value<N extends OptionName> = Options[N] extends { readonly parser: Parser<infer T> }
  ? Options[N] extends { readonly default: string }
    ? T
    : T | undefined
  : never

/** The values that a command sees: no secrets, which are in its sources. */
export type Settings<C extends Command> = {
  readonly [N in OptionName as Options[N] extends { readonly perSource: true }
    ? never
    : C extends Options[N]["commands"][number]
      ? N
      : never]: Value<N>
}

/** The values that every command that hashes sees, and those of every one that mines. */
export type HashingSettings = Common<"serve" | "demo" | "api" | "benchmark">
export type MiningSettings = Common<"serve" | "demo" | "api">

type Common<C extends Command> = Pick<Settings<"serve">, CommonNames<C> & keyof Settings<"serve">>
type CommonNames<C extends Command> = {
  [N in OptionName]: [C] extends [Options[N]["commands"][number]] ? N : never
}[OptionName]

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[]

/** The row as any row. */
export function optionOf(name: OptionName): Option {
  return OPTIONS[name]
}

export function optionsOf(command: Command): OptionName[] {
  return OPTION_NAMES.filter(name => optionOf(name).commands.includes(command))
}

/** `cpu-workers`, then its aliases. */
export function flagsOf(name: OptionName): string[] {
  return [kebab(name), ...(optionOf(name).aliases ?? [])]
}

/** `MINER_CPU_WORKERS`, then those of its aliases; none for an option that is a flag only. */
export function variablesOf(name: OptionName): string[] {
  return optionOf(name).flagOnly ? [] : flagsOf(name).map(flag => `MINER_${flag.replaceAll("-", "_").toUpperCase()}`)
}

/** `cpu_workers`; undefined for an option that a configuration file cannot hold. */
export function fileKeyOf(name: OptionName): string | undefined {
  const { flagOnly, notInFile } = optionOf(name)
  return flagOnly || notInFile ? undefined : kebab(name).replaceAll("-", "_")
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function option<const O extends Option>(row: O): O {
  return row
}

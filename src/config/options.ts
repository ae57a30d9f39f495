/**
 * Every option, declared once. A row determines the flag (`cpuWorkers` is `--cpu-workers`), the variable
 * (`MINER_CPU_WORKERS`), the key in a configuration file (`cpu_workers`), validation, help and documentation.
 */
import type { Command } from "./commands.ts"
import {
  address,
  bigInteger,
  boolean,
  duration,
  host,
  hosts,
  httpUrl,
  integer,
  labels,
  minutes,
  oneOf,
  type Parser,
  path,
  text,
  unquotedText,
} from "./parse.ts"
import { proxyUrl } from "./proxy-url.ts"
import { cpuAffinity, engineName, gpuSelection, gpuValues, schedule } from "./selections.ts"
import { NODE_PORT, sourceUrls } from "./source-url.ts"

/** Groups of options in the manual page, in its order. */
export const CATEGORIES = {
  source: "Job sources",
  hashing: "CPUs and GPUs",
  pausing: "Pausing",
  monitoring: "Monitoring",
  files: "Files",
  output: "Output",
  setup: "Setup",
  development: "Development servers",
} as const

export interface Option {
  readonly category: keyof typeof CATEGORIES
  readonly parser: Parser<unknown>
  readonly commands: readonly Command[]
  readonly help: string
  /** Placeholder of the value in help: `HOST:PORT`. Absent for a boolean. */
  readonly value?: string
  /** Default as an operator would write it; if absent, an unspecified option is undefined. */
  readonly default?: string
  /** One-letter flag: `v` is `-v`. */
  readonly short?: string
  /** Additional names in flag notation: `workers` is `--workers` and MINER_WORKERS. */
  readonly aliases?: readonly string[]
  /** Flag instead of the one the row's name yields, for a flag that another command uses differently. */
  readonly flag?: string
  /** Values that a shell offers for completion if the parser accepts others too. */
  readonly suggestions?: readonly string[]
  /** Errors never contain the value. */
  readonly secret?: boolean
  /** The flag can be repeated; its values are joined by commas. */
  readonly repeatable?: boolean
  /** Available as a flag only, not as a variable or a key in the configuration file. */
  readonly flagOnly?: boolean
  /** Not available in the configuration file. */
  readonly notInFile?: boolean
  /** Also a key of `[[source]]` tables. Commands see the value only as part of a source. */
  readonly perSource?: boolean
}

/** Engines that a shell offers; which of them can run depends on the machine. */
export const ENGINE_SUGGESTIONS = [
  "auto",
  "avx512",
  "avx512-limbs",
  "avx2",
  "scalar",
  "arm64-sve2",
  "arm64-mixed",
  "arm64-neon",
  "arm64",
  "wasm",
]

const CONNECTING = ["serve", "demo", "sources", "doctor"] as const
const SOURCED = ["serve", "demo", "doctor"] as const
const MINING = ["serve", "demo", "api", "doctor"] as const
const HASHING = ["serve", "demo", "api", "benchmark", "doctor"] as const
const GPUS = ["serve", "demo", "api", "benchmark", "tune", "devices", "doctor"] as const
const JUDGING = ["node", "pool", "demo"] as const
const ALL = [
  "serve",
  "benchmark",
  "tune",
  "hash",
  "devices",
  "node",
  "pool",
  "api",
  "demo",
  "sources",
  "doctor",
] as const
const LOGGING = ["serve", "demo", "api", "node", "pool", "benchmark", "tune", "doctor"] as const
const MONITORED = [...MINING, "health"] as const

export const OPTIONS = {
  nodeAddr: option({
    category: "source",
    parser: address(NODE_PORT),
    commands: ["serve", "sources", "doctor"],
    value: "HOST[:PORT]",
    default: `127.0.0.1:${NODE_PORT}`,
    help: "Node address, an IPv6 address in brackets; short for --url quic://HOST:PORT",
  }),
  url: option({
    category: "source",
    parser: sourceUrls,
    commands: CONNECTING,
    value: "URL",
    repeatable: true,
    perSource: true,
    help: "Job source: quic://HOST:PORT, stratum+tcp://HOST:PORT or stratum+tls://HOST:PORT; several in order of preference, separated by commas or by repeating the flag",
  }),
  authToken: option({
    category: "source",
    parser: text,
    commands: [...MINING, "sources"],
    value: "TOKEN",
    secret: true,
    perSource: true,
    help: "Token that identifies this miner to the node or pool, or that clients of the job API must send; prefer a file, because other users can see flags",
  }),
  authTokenFile: option({
    category: "source",
    parser: path,
    commands: [...MINING, "sources"],
    value: "FILE",
    perSource: true,
    help: "File that contains the token; read again before every reconnect",
  }),
  tlsCertSha256: option({
    category: "source",
    parser: text,
    commands: CONNECTING,
    value: "HEX",
    secret: true,
    perSource: true,
    help: "SHA-256 of the certificate that the node or pool must present, 64 hexadecimal digits",
  }),
  tlsCertSha256File: option({
    category: "source",
    parser: path,
    commands: CONNECTING,
    value: "FILE",
    perSource: true,
    help: "File that contains the certificate's SHA-256; read again before every reconnect",
  }),
  chain: option({
    category: "source",
    parser: unquotedText,
    commands: CONNECTING,
    value: "CHAIN",
    perSource: true,
    help: "Chain of the node on this machine whose credential files are used; if several have them, mainnet is preferred",
  }),
  login: option({
    category: "source",
    parser: unquotedText,
    commands: CONNECTING,
    value: "ADDRESS.WORKER",
    perSource: true,
    help: "Stratum pool login; {name} is replaced by the miner's name",
  }),
  password: option({
    category: "source",
    parser: text,
    commands: CONNECTING,
    value: "TEXT",
    secret: true,
    perSource: true,
    help: "Stratum pool password; x if absent",
  }),
  passwordFile: option({
    category: "source",
    parser: path,
    commands: CONNECTING,
    value: "FILE",
    perSource: true,
    help: "File that contains the Stratum pool password",
  }),
  proxy: option({
    category: "source",
    parser: proxyUrl,
    commands: CONNECTING,
    value: "URL",
    secret: true,
    perSource: true,
    help: "Proxy for Stratum pools: socks5://[USER:PASSWORD@]HOST[:PORT] or http://[USER:PASSWORD@]HOST:PORT; names are resolved by the proxy",
  }),
  keepMining: option({
    category: "source",
    parser: boolean,
    commands: CONNECTING,
    default: "no",
    perSource: true,
    help: "Continue a QUIC pool's job after a result, for pools that do not resend it",
  }),
  schedule: option({
    category: "pausing",
    parser: schedule,
    commands: MINING,
    value: "WINDOWS",
    help: 'Mine in these windows of local time only: "Mon-Fri 19:00-07:00; Sat,Sun 00:00-24:00"',
  }),
  pauseOnBattery: option({
    category: "pausing",
    parser: boolean,
    commands: MINING,
    default: "no",
    help: "Pause while the machine runs on battery",
  }),
  pauseOnActive: option({
    category: "pausing",
    parser: duration(1, 86_400),
    commands: MINING,
    value: "SECONDS",
    help: "Pause until the machine's user has been inactive for this time",
  }),
  cpuTempLimit: option({
    category: "pausing",
    parser: integer(30, 120),
    commands: MINING,
    value: "CELSIUS",
    help: "Pause above this CPU temperature, until it is five degrees lower",
  }),
  name: option({
    category: "monitoring",
    parser: unquotedText,
    commands: [...MINING, "sources"],
    value: "TEXT",
    help: "Miner name, for {name} in logins and tokens; the host name if absent",
  }),
  label: option({
    category: "monitoring",
    parser: labels,
    commands: MINING,
    value: "NAME=VALUE",
    repeatable: true,
    help: "Labels of the metric miner_info, for joins in PromQL: site=a,rack=3; separate several by commas or repeat the flag",
  }),
  failoverPatience: option({
    category: "source",
    parser: duration(1, 3600),
    commands: SOURCED,
    value: "SECONDS",
    default: "10",
    help: "How long a source may have no job before the next one is started",
  }),
  maxJobAge: option({
    category: "source",
    parser: duration(1, 86_400),
    commands: SOURCED,
    value: "SECONDS",
    help: "Stop hashing a job after this time unless its source sends a newer one; off if absent",
  }),
  config: option({
    category: "files",
    parser: path,
    commands: [...HASHING, "health", "sources"],
    value: "FILE",
    notInFile: true,
    help: "TOML or JSON file of options, with [[source]] tables",
  }),
  cpuWorkers: option({
    category: "hashing",
    parser: integer(0, 4096),
    commands: [...HASHING, "setup"],
    value: "N",
    aliases: ["workers"],
    help: "Number of CPU workers, 0 for none; half of the effective CPUs if absent",
  }),
  cpuAffinity: option({
    category: "hashing",
    parser: cpuAffinity,
    commands: HASHING,
    value: "auto|none|CPULIST",
    suggestions: ["auto", "none"],
    default: "auto",
    help: "CPU affinity of the workers: auto (one CPU each, physical cores first, if no other program shares the CPUs), none, or a list such as 0-3,8",
  }),
  cpuBatchSize: option({
    category: "hashing",
    parser: integer(1, 2 ** 31),
    commands: HASHING,
    value: "N",
    help: "Accepted for compatibility and ignored: a worker checks for a new job every few hundred nonces",
  }),
  engine: option({
    category: "hashing",
    parser: engineName,
    commands: [...HASHING, "tune", "hash"],
    value: "NAME",
    suggestions: ENGINE_SUGGESTIONS,
    default: "auto",
    help: "CPU engine: auto (the fastest that passes its self-test), wasm or another name; hash also accepts reference, cuda and opencl",
  }),
  recalibrate: option({
    category: "hashing",
    parser: boolean,
    commands: HASHING,
    default: "no",
    help: "Measure the engines again instead of using the stored calibration",
  }),
  gpuDevices: option({
    category: "hashing",
    parser: gpuSelection,
    commands: GPUS,
    value: "N|LIST",
    suggestions: ["all", "0"],
    default: "all",
    help: "GPUs to use: all, a count, 0 for none, or a list of indexes or PCI addresses such as 0,2 (a single one: 2,)",
  }),
  cudaGpu: option({
    category: "hashing",
    parser: boolean,
    commands: HASHING,
    default: "no",
    help: "Accepted for compatibility and ignored: NVIDIA GPUs are always driven by CUDA",
  }),
  gpuBatchSize: option({
    category: "hashing",
    parser: integer(1, 2 ** 40),
    commands: HASHING,
    value: "N",
    help: "Nonces per GPU launch; measured if absent",
  }),
  gpuThrottleMs: option({
    category: "hashing",
    parser: integer(0, 2 ** 31 - 1),
    commands: HASHING,
    value: "MS",
    default: "0",
    help: "Pause between two launches of a GPU, in milliseconds",
  }),
  gpuTempLimit: option({
    category: "hashing",
    parser: integer(30, 120),
    commands: MINING,
    value: "CELSIUS",
    help: "Pause a GPU above this temperature, until it is five degrees lower",
  }),
  gpuPowerLimit: option({
    category: "hashing",
    parser: gpuValues(2000),
    commands: MINING,
    value: "W|LIST",
    help: "Power limit of the GPUs while mining, in watts: one value, or one per GPU such as 250,-,180, where - leaves a GPU unchanged",
  }),
  gpuCoreClock: option({
    category: "hashing",
    parser: gpuValues(10_000),
    commands: MINING,
    value: "MHZ|LIST",
    help: "Highest core clock of the GPUs while mining, in megahertz; a list as for the power limit",
  }),
  gpuMemoryClock: option({
    category: "hashing",
    parser: gpuValues(50_000),
    commands: MINING,
    value: "MHZ|LIST",
    help: "Highest memory clock of the GPUs while mining, in megahertz; a low one saves power and costs no hash rate",
  }),
  allowIntegrated: option({
    category: "hashing",
    parser: boolean,
    commands: GPUS,
    default: "no",
    help: "Also use integrated GPUs if a discrete GPU is present",
  }),
  metricsPort: option({
    category: "monitoring",
    parser: integer(0, 65_535),
    commands: [...MONITORED, "setup"],
    value: "PORT",
    help: "Port for metrics, health and the status page, 0 for any free one; off if absent",
  }),
  metricsHost: option({
    category: "monitoring",
    parser: host,
    commands: MONITORED,
    value: "HOST",
    aliases: ["metrics-bind"],
    default: "127.0.0.1",
    help: "Address on which the metrics are served",
  }),
  metricsAllowedHosts: option({
    category: "monitoring",
    parser: hosts,
    commands: MONITORED,
    value: "HOSTS",
    repeatable: true,
    aliases: ["allowed-hosts"],
    help: "Names, besides those of this machine, by which clients reach the metrics or the job API, separated by commas; addresses are always accepted",
  }),
  healthUrl: option({
    category: "monitoring",
    parser: httpUrl,
    commands: ["health"],
    flag: "url",
    value: "URL",
    flagOnly: true,
    help: "Address of the miner's monitoring server; by default http://127.0.0.1 at the metrics port",
  }),
  metricsTokenFile: option({
    category: "monitoring",
    parser: path,
    commands: MONITORED,
    value: "FILE",
    help: "File that contains the bearer token that clients of the metrics must send; also permits pausing by HTTP",
  }),
  metricsTlsCert: option({
    category: "monitoring",
    parser: path,
    commands: MONITORED,
    value: "FILE",
    help: "PEM file of the certificate chain with which the metrics are served over TLS",
  }),
  metricsTlsKey: option({
    category: "monitoring",
    parser: path,
    commands: MINING,
    value: "FILE",
    help: "PEM file of the certificate's private key",
  }),
  stateDir: option({
    category: "files",
    parser: path,
    commands: GPUS,
    value: "DIR",
    help: "Directory for measurements kept between starts; if absent, $STATE_DIRECTORY or the user's state directory",
  }),
  checkUpdates: option({
    category: "files",
    parser: httpUrl,
    commands: ["serve"],
    value: "URL",
    help: "Log at the start whether this page names a newer release; nothing is downloaded",
  }),
  output: option({
    category: "setup",
    parser: path,
    commands: ["setup"],
    value: "FILE",
    flagOnly: true,
    help: "Configuration file to write; by default miner.toml in the user's configuration directory",
  }),
  setupUrl: setupAnswer("url", "URL", "Job source, as for serve"),
  setupLogin: setupAnswer("login", "ADDRESS.WORKER", "Stratum pool login"),
  setupToken: setupAnswer("auth-token-file", "FILE", "File that holds the token"),
  setupPin: setupAnswer("tls-cert-sha256-file", "FILE", "File that holds the certificate's SHA-256"),
  setupGpus: setupAnswer("gpu-devices", "N|LIST", "GPUs to use, as for serve; all if absent"),
  autostart: option({
    category: "setup",
    parser: boolean,
    commands: ["setup"],
    flagOnly: true,
    help: "Start the miner at login; setup prompts if absent",
  }),
  measure: option({
    category: "setup",
    parser: boolean,
    commands: ["setup"],
    flagOnly: true,
    help: "Measure the CPUs and store which engine is the fastest; setup prompts if absent",
  }),
  remove: option({
    category: "setup",
    parser: boolean,
    commands: ["setup"],
    default: "no",
    flagOnly: true,
    help: "Remove what starts the miner at login",
  }),
  yes: option({
    category: "setup",
    parser: boolean,
    commands: ["setup"],
    default: "no",
    flagOnly: true,
    help: "Do not prompt: use the default of every answer without a flag, and replace the file",
  }),
  host: option({
    category: "development",
    parser: host,
    commands: ["node", "pool", "api"],
    value: "HOST",
    default: "127.0.0.1",
    flagOnly: true,
    help: "Address to listen on",
  }),
  port: option({
    category: "development",
    parser: integer(0, 65_535),
    commands: ["node", "pool", "api"],
    value: "PORT",
    default: String(NODE_PORT),
    flagOnly: true,
    help: "Port to listen on, 0 for any free one",
  }),
  dir: option({
    category: "development",
    parser: path,
    commands: ["node"],
    value: "DIR",
    default: "quantus-devnode",
    flagOnly: true,
    help: "Directory for the token, the certificate and its SHA-256; created at the first start",
  }),
  difficulty: option({
    category: "development",
    parser: bigInteger(1n, 2n ** 512n - 1n, "2^512 - 1"),
    commands: JUDGING,
    value: "N",
    default: "300000",
    flagOnly: true,
    help: "Average number of hashes per seal or share",
  }),
  intervalMs: option({
    category: "development",
    parser: integer(1, 86_400_000),
    commands: JUDGING,
    value: "MS",
    default: "12000",
    flagOnly: true,
    help: "Time after which an unsealed job is replaced, in milliseconds",
  }),
  seals: option({
    category: "development",
    parser: integer(1, 1_000_000),
    commands: ["demo"],
    value: "N",
    default: "5",
    flagOnly: true,
    help: "Number of accepted seals after which the demo ends",
  }),
  duration: option({
    category: "output",
    parser: duration(0.1, 86_400),
    commands: ["benchmark"],
    value: "SECONDS",
    short: "d",
    default: "10",
    flagOnly: true,
    help: "Duration of the measurement",
  }),
  gpu: option({
    category: "output",
    parser: boolean,
    commands: ["tune"],
    default: "no",
    flagOnly: true,
    help: "Tune the GPUs instead: measure every form, register limit and group size, and keep the fastest",
  }),
  minutes: option({
    category: "output",
    parser: minutes(0.01, 10_080),
    commands: ["tune"],
    value: "N",
    default: "10",
    flagOnly: true,
    help: "Duration of the search in minutes; Ctrl-C ends it earlier and keeps what was found",
  }),
  json: option({
    category: "output",
    parser: boolean,
    commands: ["benchmark", "tune", "devices", "version", "sources", "doctor"],
    default: "no",
    flagOnly: true,
    help: "Print the result as one JSON object on standard output",
  }),
  verbose: option({
    category: "output",
    parser: boolean,
    commands: ALL,
    short: "v",
    default: "no",
    help: "Log details; RUST_LOG=debug has the same effect",
  }),
  quiet: option({
    category: "output",
    parser: boolean,
    commands: LOGGING,
    default: "no",
    help: "Log warnings and errors only, without a status line",
  }),
  noStatusLine: option({
    category: "output",
    parser: boolean,
    commands: MINING,
    default: "no",
    help: "Log the speed every minute instead of redrawing a status line on a terminal",
  }),
  noColor: option({
    category: "output",
    parser: boolean,
    commands: LOGGING,
    default: "no",
    help: "Use no colours; NO_COLOR=1 has the same effect",
  }),
  logFile: option({
    category: "output",
    parser: path,
    commands: LOGGING,
    value: "FILE",
    help: "Also write the log to this file; it is rotated at 10 MB, keeping three older files, and reopened on reload",
  }),
  logFormat: option({
    category: "output",
    parser: oneOf("pretty", "json"),
    commands: ALL,
    value: "pretty|json",
    default: "pretty",
    help: "Format of log lines: text, or one JSON object each",
  }),
} as const

export type Options = typeof OPTIONS
export type OptionName = keyof Options

/** Type of an option's resolved value. */
export type Value<N extends OptionName> = Options[N] extends { readonly parser: Parser<infer T> }
  ? Options[N] extends { readonly default: string }
    ? T
    : T | undefined
  : never

/** Option values of a command, without those that belong to its sources. */
export type Settings<C extends Command> = {
  readonly [N in OptionName as Options[N] extends { readonly perSource: true }
    ? never
    : C extends Options[N]["commands"][number]
      ? N
      : never]: Value<N>
}

/** Options common to all commands that hash, and to all that mine. */
export type HashingSettings = Common<"serve" | "demo" | "api" | "benchmark">
export type MiningSettings = Common<"serve" | "demo" | "api">

type Common<C extends Command> = Pick<Settings<"serve">, CommonNames<C> & keyof Settings<"serve">>
type CommonNames<C extends Command> = {
  [N in OptionName]: [C] extends [Options[N]["commands"][number]] ? N : never
}[OptionName]

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[]

/** The row of an option, widened to `Option`. */
export function optionOf(name: OptionName): Option {
  return OPTIONS[name]
}

/** `-v`; undefined for an option without a one-letter flag. */
export function shortFlagOf(name: OptionName): string | undefined {
  const { short } = optionOf(name)
  return short && `-${short}`
}

export function optionsOf(command: Command): OptionName[] {
  return OPTION_NAMES.filter(name => optionOf(name).commands.includes(command))
}

/** `cpu-workers`, followed by its aliases. */
export function flagsOf(name: OptionName): string[] {
  const { flag = kebab(name), aliases = [] } = optionOf(name)
  return [flag, ...aliases]
}

/** `MINER_CPU_WORKERS`, followed by its aliases; empty for a `flagOnly` option. */
export function variablesOf(name: OptionName): string[] {
  return optionOf(name).flagOnly ? [] : flagsOf(name).map(flag => `MINER_${flag.replaceAll("-", "_").toUpperCase()}`)
}

/** `cpu_workers`; undefined for an option that is not available in a configuration file. */
export function fileKeyOf(name: OptionName): string | undefined {
  const { flagOnly, notInFile } = optionOf(name)
  return flagOnly || notInFile ? undefined : kebab(name).replaceAll("-", "_")
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** A flag of `setup` that answers a question. */
function setupAnswer<const F extends string>(flag: F, value: string, help: string) {
  return option({ category: "setup", parser: text, commands: ["setup"], flag, value, flagOnly: true, help })
}

function option<const O extends Option>(row: O): O {
  return row
}

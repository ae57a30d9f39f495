/**
 * Resolves the command line, the environment and the configuration file to one typed configuration, or to a one-sentence
 * error. Resolution opens no connections and ends before mining starts.
 */
import { hostname } from "node:os"
import type { Environment } from "../environment.ts"
import { host } from "../host/host.ts"
import { readArgv } from "./argv.ts"
import type { Command } from "./commands.ts"
import { type ConfigFile, readConfigFile } from "./config-file.ts"
import { CREDENTIALS, findCredential } from "./credentials.ts"
import { type Files, readGivenFile } from "./files.ts"
import { type Given, givenText, parseGiven } from "./given.ts"
import { type MonitoringConfig, resolveMonitoring } from "./monitoring.ts"
import { OPTION_NAMES, type OptionName, optionOf, optionsOf, type Settings, variablesOf } from "./options.ts"
import { looseMode, type Secret } from "./secrets.ts"
import { resolveSources, type SourceConfig } from "./sources.ts"

export interface Config<C extends Command = Command> {
  readonly command: C
  readonly settings: Settings<C>
  readonly positionals: readonly string[]
  /** In order of preference; empty for a command without sources and for `demo` without `--url`. */
  readonly sources: readonly SourceConfig[]
  /** Token that clients of the HTTP job API must send; undefined if the API is open. */
  readonly apiToken: Secret | undefined
  /** Access to the metrics; open and without TLS if none are served. */
  readonly monitoring: MonitoringConfig
  /** Directory for measurements kept between starts; undefined if they are not stored. */
  readonly stateDir: string | undefined
  /** Messages for the operator, in the order in which they arose. */
  readonly notes: readonly Note[]
}

export interface Note {
  readonly level: "info" | "warn"
  readonly message: string
}

/** Variables of other programs that set an option. */
const FOREIGN: readonly { readonly name: OptionName; readonly variable: string; readonly means: RegExp }[] = [
  { name: "verbose", variable: "RUST_LOG", means: /(?:^|[=,])\s*(?:debug|trace)\s*(?:,|$)/i },
  { name: "noColor", variable: "NO_COLOR", means: /./ },
]

const EMPTY: ConfigFile = { given: new Map(), sources: [] }

/**
 * @param args the arguments after the command name
 * @throws OperatorError: usage (64) for flags and variables, config (78) for files and missing credentials
 */
export async function resolveConfig<C extends Command>(
  command: C,
  args: readonly string[],
  env: Environment,
  files: Files,
): Promise<Config<C>> {
  const notes: Note[] = []
  const warn = (message: string) => void notes.push({ level: "warn", message })
  const inform = (message: string) => void notes.push({ level: "info", message })

  const { given: flag, positionals } = readArgv(command, args)
  const variable = readVariables(command, env, warn)
  const configPath = flag.get("config") ?? variable.get("config")
  const file = configPath ? await loadConfigFile(configPath, env, files, warn) : EMPTY
  const layers = { flag, variable, file: file.given }
  const settings = Object.fromEntries(
    optionsOf(command)
      .filter(name => !optionOf(name).perSource)
      .map(name => {
        const given = flag.get(name) ?? variable.get(name) ?? file.given.get(name)
        return [name, parsed(name, given)]
      }),
  ) as unknown as Settings<C>

  if (flag.has("cudaGpu") || variable.has("cudaGpu")) {
    inform("--cuda-gpu has no effect: NVIDIA GPUs are always driven by CUDA")
  }
  const minerName = (settings as { name?: string }).name ?? hostname()
  const inputs = { layers, fileSources: file.sources, env, files, warn, inform, minerName }
  const mines =
    ["serve", "sources", "doctor"].includes(command) || (command === "demo" && (flag.has("url") || variable.has("url")))
  return {
    command,
    settings,
    positionals,
    sources: mines ? resolveSources(inputs) : [],
    apiToken:
      command === "api" ? findCredential([flag, variable, file.given], CREDENTIALS.token, files, warn) : undefined,
    monitoring: monitoringOf(command, settings, env, files, warn),
    stateDir: (settings as { stateDir?: string }).stateDir ?? host.stateDirectory(env),
    notes,
  }
}

const OPEN: MonitoringConfig = { token: undefined, tls: undefined }

function monitoringOf(
  command: Command,
  settings: Partial<Settings<"serve">>,
  env: Environment,
  files: Files,
  warn: (message: string) => void,
): MonitoringConfig {
  const { metricsPort, metricsTokenFile: tokenFile, metricsTlsCert: tlsCert, metricsTlsKey: tlsKey } = settings
  // A client presents the token and needs no identity.
  if (command === "health") {
    return resolveMonitoring({ tokenFile, tlsCert: undefined, tlsKey: undefined, env, files, warn })
  }
  if (metricsPort === undefined) return OPEN
  return resolveMonitoring({ tokenFile, tlsCert, tlsKey, env, files, warn })
}

function parsed(name: OptionName, given: Given | undefined): unknown {
  const { parser, secret, default: standard } = optionOf(name)
  if (given) return parseGiven(given, parser, secret)
  return standard === undefined ? undefined : parser.parse(standard)
}

function readVariables(command: Command, env: Environment, warn: (message: string) => void): Map<OptionName, Given> {
  const given = new Map<OptionName, Given>()
  const linked = Object.keys(env).filter(variable => isServiceLink(variable, env))
  // Environment files and container templates write an absent variable as an empty one.
  const isSet = (variable: string) => env[variable] !== undefined && env[variable] !== "" && !linked.includes(variable)
  for (const name of optionsOf(command)) {
    const origin = variablesOf(name).find(isSet)
    if (origin === undefined) continue
    const layer = "variable"
    given.set(name, { layer, origin, text: givenText(name, { layer, origin, text: env[origin]! }) })
  }
  for (const { name, variable, means } of FOREIGN) {
    const text = env[variable] ?? ""
    if (optionsOf(command).includes(name) && !given.has(name) && means.test(text)) {
      given.set(name, { layer: "variable", origin: variable, text: "yes" })
    }
  }
  const known = new Set(OPTION_NAMES.flatMap(variablesOf))
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith("MINER_") || known.has(variable) || linked.includes(variable)) continue
    warn(`unknown variable ${variable} is ignored`)
  }
  if (linked.length > 0) {
    warn(`${linked.join(", ")} were set by Kubernetes for a service and are ignored: set enableServiceLinks: false`)
  }
  return given
}

/**
 * Whether Kubernetes set the variable for a service. For a service named `miner-metrics` it sets
 * MINER_METRICS_SERVICE_HOST, MINER_METRICS_SERVICE_PORT, MINER_METRICS_PORT=tcp://… and MINER_METRICS_PORT_9900_TCP….
 */
function isServiceLink(variable: string, env: Environment): boolean {
  const [, service, kind] =
    /^(MINER(?:_[A-Z0-9_]+?)?)_(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_(?:TCP|UDP|SCTP)\w*)$/.exec(variable) ?? []
  if (service === undefined || env[`${service}_SERVICE_HOST`] === undefined) return false
  return kind !== "PORT" || /^(?:tcp|udp|sctp):\/\//.test(env[variable] ?? "")
}

async function loadConfigFile(
  given: Given,
  env: Environment,
  files: Files,
  warn: (message: string) => void,
): Promise<ConfigFile> {
  const path = parseGiven(given, optionOf("config").parser) as string
  const content = readGivenFile(path, given.origin, files)
  const file = await readConfigFile(path, content, env)
  // Parses the options of all commands, so that an error is reported by the first command that reads the file.
  for (const table of [file, ...file.sources]) {
    for (const [name, value] of table.given) parsed(name, value)
  }
  const holdsSecret = [file, ...file.sources].some(({ given }) => [...given.keys()].some(name => optionOf(name).secret))
  const loose = holdsSecret && looseMode(path, { name: "secret", confidential: true }, files)
  if (loose) warn(loose)
  return file
}

/** The sources of work that a configuration names, in order of preference, each with its credentials. */
import { dirname, join } from "node:path"
import { ExitCode, OperatorError } from "../errors.ts"
import type { FileSource } from "./config-file.ts"
import { CREDENTIALS, credentialFile, findCredential, type Level } from "./credentials.ts"
import type { Files } from "./files.ts"
import { type Given, givenError, type Layer, parseGiven } from "./given.ts"
import { type OptionName, optionOf, type Value } from "./options.ts"
import { type Address, addressText } from "./parse.ts"
import { LOGIN, PASSWORD, PIN, type Secret, type SecretKind, secretFile } from "./secrets.ts"
import { type SourceUrl, sourceName } from "./source-url.ts"

export type SourceConfig = QuicSourceConfig | StratumSourceConfig

export interface QuicSourceConfig extends Address {
  readonly protocol: "quic"
  /** Its URL without credentials. */
  readonly name: string
  readonly token: Secret
  readonly pin: Secret
  readonly keepMining: boolean
}

export interface StratumSourceConfig extends Address {
  readonly protocol: "stratum+tcp" | "stratum+tls"
  readonly name: string
  readonly login: string
  readonly password: Secret
  /** Trusts this certificate instead of the system's authorities; with TLS only. */
  readonly pin: Secret | undefined
}

/** What was given, by layer; `file` holds the file's general options. */
export type Layers = Readonly<Record<Layer, ReadonlyMap<OptionName, Given>>>

export interface SourceInputs {
  readonly layers: Layers
  /** The file's `[[source]]` tables. */
  readonly fileSources: readonly FileSource[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly files: Files
  /** Takes what the operator should know though it stops nothing. */
  readonly warn: (message: string) => void
  readonly inform: (message: string) => void
  /** Stands for `{name}` in logins and tokens. */
  readonly minerName: string
}

/** Files that the node writes into the directory of its chain, and credentials that a service manager hands over. */
const STANDARD_FILES = { token: "miner-auth-token", pin: "miner-tls-cert-sha256" }

/** Credentials of a pool, which only a service manager hands over. */
const POOL_FILES = { login: "miner-login", password: "miner-password" }

const DEFAULT_PASSWORD: Secret = { description: "the usual password", read: () => "x" }

/** @throws OperatorError for the first source that cannot be used as it is configured */
export function resolveSources(inputs: SourceInputs): readonly SourceConfig[] {
  const urls = resolveUrls(inputs)
  const twice = urls.find((url, i) => urls.findIndex(other => sourceName(other) === sourceName(url)) < i)
  if (twice) throw new OperatorError(`${sourceName(twice)} is named twice as a source`, ExitCode.config)
  for (const url of urls) {
    if (url.clearScheme === undefined) continue
    inputs.inform(
      `${url.clearScheme}:// is read as stratum+tcp://, which is not encrypted: ` +
        `the encrypted spelling is stratum+tls://${addressText(url)}`,
    )
  }
  const pinsNode = urls.some(url => url.protocol === "quic")
  return urls.map(url => {
    const own = inputs.fileSources.find(({ given }) => sourceName(urlOf(given)) === sourceName(url))
    const context = new SourceContext(inputs, url, own?.given)
    return url.protocol === "quic" ? quicSource(context) : stratumSource(context, pinsNode)
  })
}

function resolveUrls({ layers, fileSources }: SourceInputs): readonly SourceUrl[] {
  for (const layer of ["flag", "variable", "file"] as const) {
    const [url, nodeAddr] = [layers[layer].get("url"), layers[layer].get("nodeAddr")]
    if (url && nodeAddr) {
      throw givenError(url, `${url.origin} and ${nodeAddr.origin} both say where work comes from: give one of them`)
    }
    if (layer === "file" && fileSources.length > 0) {
      const general = url ?? nodeAddr
      if (general) throw givenError(general, `${general.origin} and [[source]] tables exclude each other`)
      return fileSources.map(({ given }) => urlOf(given))
    }
    if (url) return parseOption("url", url)
    if (nodeAddr) return [{ protocol: "quic", ...parseOption("nodeAddr", nodeAddr) }]
  }
  const { parser, default: standard } = optionOf("nodeAddr")
  return [{ protocol: "quic", ...(parser.parse(standard!) as Address) }]
}

function quicSource(context: SourceContext): QuicSourceConfig {
  const { url, name } = context
  const token = context.credential("token") ?? context.standard("token")
  if (!token) throw context.missing("token", "--auth-token-file FILE", STANDARD_FILES.token)
  const pin = context.credential("pin") ?? context.standard("pin", token.file)
  if (!pin) throw context.missing(PIN.name, "--tls-cert-sha256-file FILE", STANDARD_FILES.pin)
  const named: Secret = { ...token, read: () => withName(token.read(), context.minerName) }
  const keepMining = context.value("keepMining") ?? false
  return { host: url.host, port: url.port, protocol: "quic", name, token: named, pin, keepMining }
}

/** @param pinsNode a general pin is the node's, and the pool's is in its `[[source]]` table */
function stratumSource(context: SourceContext, pinsNode: boolean): StratumSourceConfig {
  const { url, name } = context
  const protocol = url.protocol as StratumSourceConfig["protocol"]
  const pin = context.givenCredential("pin", pinsNode)
  if (pin && protocol === "stratum+tcp") {
    const remedy = `write stratum+tls:// or remove the ${PIN.name}`
    throw new OperatorError(
      `${pin.origin} has no effect on ${name}, which is not encrypted: ${remedy}`,
      ExitCode.config,
    )
  }
  const login = context.value("login") ?? context.handedOver(POOL_FILES.login, LOGIN)?.read()
  if (login === undefined) {
    throw new OperatorError(`${name} needs a login: give --login ADDRESS.WORKER`, ExitCode.config)
  }
  const password = context.credential("password") ?? context.handedOver(POOL_FILES.password, PASSWORD)
  return {
    host: url.host,
    port: url.port,
    protocol,
    name,
    login: withName(login, context.minerName),
    password: password ?? DEFAULT_PASSWORD,
    pin: protocol === "stratum+tls" ? context.credential("pin", pinsNode) : undefined,
  }
}

/** Replaces `{name}` by the miner's name; `{{` and `}}` stand for braces. */
export function withName(text: string, name: string): string {
  return text.replace(/\{\{|\}\}|\{name\}/g, match => (match === "{name}" ? name : match[0]!))
}

/** Looks up one source's options: flags, variables, its own table, the file's general options. */
class SourceContext {
  readonly name: string
  readonly #inputs: SourceInputs
  readonly #own: Level

  constructor(
    inputs: SourceInputs,
    readonly url: SourceUrl,
    own: Level = new Map(),
  ) {
    this.#inputs = inputs
    this.#own = own
    this.name = sourceName(url)
  }

  value<N extends "login" | "keepMining">(option: N): Value<N> | undefined {
    const given = this.#levels()
      .find(level => level.has(option))
      ?.get(option)
    return given && parseOption(option, given)
  }

  get minerName(): string {
    return this.#inputs.minerName
  }

  /** The option that gives a credential, by value or file. @param ownOnly as for `credential` */
  givenCredential(which: keyof typeof CREDENTIALS, ownOnly = false): Given | undefined {
    const { value, file } = CREDENTIALS[which]
    const levels = ownOnly ? [this.#own] : this.#levels()
    return levels.map(level => level.get(value) ?? level.get(file)).find(given => given !== undefined)
  }

  /** What the service manager handed over under that name; undefined if it is absent or empty. */
  handedOver(file: string, kind: SecretKind): Secret | undefined {
    const { env, files } = this.#inputs
    const directory = env["CREDENTIALS_DIRECTORY"]
    // A unit can set an empty default, for miners that need none.
    if (!directory || !files.list(directory).includes(file) || files.read(join(directory, file)).trim() === "") return
    return secretFile(join(directory, file), "$CREDENTIALS_DIRECTORY", kind, files)
  }

  /** @param ownOnly general options are meant for other sources */
  credential(which: keyof typeof CREDENTIALS, ownOnly = false): Secret | undefined {
    const { files, warn } = this.#inputs
    return findCredential(ownOnly ? [this.#own] : this.#levels(), CREDENTIALS[which], files, warn)
  }

  /**
   * A credential that stands where it usually does: handed over by the service manager, beside the token's file, or
   * where a node on this machine keeps it.
   */
  standard(which: keyof typeof STANDARD_FILES, besideFile?: string): Secret | undefined {
    const { files, inform, warn } = this.#inputs
    const file = STANDARD_FILES[which]
    const { kind } = CREDENTIALS[which]
    const handedOver = this.handedOver(file, kind)
    if (handedOver) return handedOver
    const has = (directory: string) => files.list(directory).includes(file)
    const beside = besideFile && dirname(besideFile)
    const directory = beside && has(beside) ? beside : this.#nodeDirectory(has)
    if (directory === undefined) return undefined
    const path = join(directory, file)
    inform(`Using the ${kind.name} in ${path}`)
    return credentialFile(path, this.name, kind, files, warn)
  }

  missing(what: string, flag: string, file: string): OperatorError {
    const where = `the node keeps it in ${file} in BASE_PATH/chains/CHAIN/`
    return new OperatorError(`${this.name} needs a ${what}: give ${flag} (${where})`, ExitCode.config)
  }

  #nodeDirectory(has: (directory: string) => boolean): string | undefined {
    const { env, files } = this.#inputs
    if (!isLoopback(this.url.host) || !env["HOME"]) return undefined
    const chains = join(env["HOME"], ".local/share/quantus-node/chains")
    const found = files
      .list(chains)
      .map(chain => join(chains, chain))
      .filter(has)
    if (found.length < 2) return found[0]
    throw new OperatorError(
      `${this.name} could be the node of any of ${found.join(", ")}: give --auth-token-file FILE of the right one`,
      ExitCode.config,
    )
  }

  #levels(): readonly Level[] {
    const { layers } = this.#inputs
    return [layers.flag, layers.variable, this.#own, layers.file]
  }
}

function urlOf(source: Level): SourceUrl {
  const given = source.get("url")!
  const urls = parseOption("url", given)
  if (urls.length > 1) throw givenError(given, `${given.origin} must be one URL: write a [[source]] table for each`)
  return urls[0]!
}

function parseOption<N extends OptionName>(name: N, given: Given): NonNullable<Value<N>> {
  const { parser, secret } = optionOf(name)
  return parseGiven(given, parser, secret) as NonNullable<Value<N>>
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.")
}

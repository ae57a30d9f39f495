/** Resolves the configured job sources, in order of preference, each with its credentials. */
import { dirname, join } from "node:path"
import type { Environment } from "../environment.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import type { FileSource } from "./config-file.ts"
import { CREDENTIALS, credentialFile, findCredential, handedOver } from "./credentials.ts"
import type { Files } from "./files.ts"
import { type Given, type GivenOptions, givenError, type Layers, parseGiven } from "./given.ts"
import { type OptionName, optionOf, type Value } from "./options.ts"
import { type Address, addressText } from "./parse.ts"
import type { ProxyUrl } from "./proxy-url.ts"
import { LOGIN, MissingSecret, PASSWORD, PIN, type Secret, type SecretKind } from "./secrets.ts"
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
  readonly proxy: ProxyUrl | undefined
}

export interface SourceInputs {
  /** `file` holds the file's general options. */
  readonly layers: Layers
  /** The file's `[[source]]` tables. */
  readonly fileSources: readonly FileSource[]
  readonly env: Environment
  readonly files: Files
  /** Receives warnings for the operator. */
  readonly warn: (message: string) => void
  readonly inform: (message: string) => void
  /** Replaces `{name}` in logins and tokens. */
  readonly minerName: string
}

/** Files in the chain directory of a node, and names of credentials passed by a service manager. */
const STANDARD_FILES = { token: "miner-auth-token", pin: "miner-tls-cert-sha256" }

/** Chain directory that is used if several have credential files. */
const PREFERRED_CHAIN = "mainnet"

/** Names of pool credentials passed by a service manager. */
const POOL_FILES = { login: "miner-login", password: "miner-password" }

const DEFAULT_PASSWORD: Secret = { description: "the default password", read: () => "x" }

/** @throws OperatorError for the first source whose configuration is invalid */
export function resolveSources(inputs: SourceInputs): readonly SourceConfig[] {
  const urls = resolveUrls(inputs)
  const twice = urls.find((url, i) => urls.findIndex(other => sourceName(other) === sourceName(url)) < i)
  if (twice) throw new OperatorError(`${sourceName(twice)} is configured twice as a source`, ExitCode.config)
  for (const url of urls) {
    if (url.clearScheme === undefined) continue
    inputs.inform(
      `${url.clearScheme}:// means stratum+tcp://, which is not encrypted: ` +
        `for encryption write stratum+tls://${addressText(url)}`,
    )
  }
  const pinsNode = urls.some(url => url.protocol === "quic")
  return urls.map(url => {
    const own = inputs.fileSources.find(({ given }) => sourceName(urlOf(given)) === sourceName(url))
    const context = new SourceOptions(inputs, url, own?.given)
    return url.protocol === "quic" ? quicSource(context) : stratumSource(context, pinsNode)
  })
}

function resolveUrls({ layers, fileSources }: SourceInputs): readonly SourceUrl[] {
  for (const layer of ["flag", "variable", "file"] as const) {
    const [url, nodeAddr] = [layers[layer].get("url"), layers[layer].get("nodeAddr")]
    if (url && nodeAddr) {
      throw givenError(url, `${url.origin} and ${nodeAddr.origin} both select a source: use only one`)
    }
    if (layer === "file" && fileSources.length > 0) {
      const general = url ?? nodeAddr
      if (general) throw givenError(general, `${general.origin} and [[source]] tables cannot be combined`)
      return fileSources.map(({ given }) => urlOf(given))
    }
    if (url) return parseOption("url", url)
    if (nodeAddr) return [{ protocol: "quic", ...parseOption("nodeAddr", nodeAddr) }]
  }
  const { parser, default: standard } = optionOf("nodeAddr")
  return [{ protocol: "quic", ...(parser.parse(standard!) as Address) }]
}

function quicSource(context: SourceOptions): QuicSourceConfig {
  const { url, name } = context
  if (context.value("proxy")) {
    throw new OperatorError(
      `${name} cannot be reached through --proxy: QUIC runs over UDP, which these proxies do not forward; ` +
        "give the proxy in the [[source]] tables of Stratum pools only, or remove it",
      ExitCode.config,
    )
  }
  const token = context.credential("token") ?? context.standard("token")
  if (!token) throw context.missing("token", "--auth-token-file FILE")
  const pin = context.credential("pin") ?? context.standard("pin", token.file)
  if (!pin) throw context.missing("pin", "--tls-cert-sha256-file FILE")
  const named: Secret = { ...token, read: () => withName(token.read(), context.minerName) }
  const keepMining = context.value("keepMining") ?? false
  return { host: url.host, port: url.port, protocol: "quic", name, token: named, pin, keepMining }
}

/** @param pinsNode whether a general pin belongs to a node, so that only the source's own table can pin the pool */
function stratumSource(context: SourceOptions, pinsNode: boolean): StratumSourceConfig {
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
    throw new OperatorError(`${name} needs a login: specify --login ADDRESS.WORKER`, ExitCode.config)
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
    proxy: context.value("proxy"),
  }
}

/** Replaces `{name}` by the miner's name; `{{` and `}}` are literal braces. */
export function withName(text: string, name: string): string {
  return text.replace(/\{\{|\}\}|\{name\}/g, match => (match === "{name}" ? name : match[0]!))
}

/** Looks up the options of one source: flags, variables, its own table, then the file's general options. */
class SourceOptions {
  readonly name: string
  readonly #inputs: SourceInputs
  readonly #own: GivenOptions

  constructor(
    inputs: SourceInputs,
    readonly url: SourceUrl,
    own: GivenOptions = new Map(),
  ) {
    this.#inputs = inputs
    this.#own = own
    this.name = sourceName(url)
  }

  value<N extends "login" | "keepMining" | "proxy" | "chain">(option: N): Value<N> | undefined {
    const given = this.#levels()
      .find(level => level.has(option))
      ?.get(option)
    return given && parseOption(option, given)
  }

  get minerName(): string {
    return this.#inputs.minerName
  }

  /** The option that specifies a credential, by value or file. @param ownOnly as for `credential` */
  givenCredential(which: keyof typeof CREDENTIALS, ownOnly = false): Given | undefined {
    const { value, file } = CREDENTIALS[which]
    const levels = ownOnly ? [this.#own] : this.#levels()
    return levels.map(level => level.get(value) ?? level.get(file)).find(given => given !== undefined)
  }

  /** The credential of that name passed by the service manager; undefined if absent or empty. */
  handedOver(file: string, kind: SecretKind): Secret | undefined {
    return handedOver(file, kind, this.#inputs.env, this.#inputs.files)
  }

  /** @param ownOnly whether only the source's own table applies */
  credential(which: keyof typeof CREDENTIALS, ownOnly = false): Secret | undefined {
    const { files, warn } = this.#inputs
    return findCredential(ownOnly ? [this.#own] : this.#levels(), CREDENTIALS[which], files, warn)
  }

  /**
   * A credential in a standard location: passed by the service manager, in the directory of the token file, or in the
   * chain directory of a node on this machine.
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
    inform(`using the ${kind.name} in ${path}`)
    return credentialFile(path, this.name, kind, files, warn)
  }

  /** @returns a `MissingSecret` if a node on this machine, at its default base path, may still write the file */
  missing(which: keyof typeof STANDARD_FILES, flag: string): OperatorError {
    const file = STANDARD_FILES[which]
    const awaited = this.#awaitedDirectory()
    const path = join(awaited ?? "BASE_PATH/chains/CHAIN", file)
    const needs = `${this.name} needs a ${CREDENTIALS[which].kind.name}: specify ${flag} (the node writes it to ${path})`
    return awaited === undefined ? new OperatorError(needs, ExitCode.config) : new MissingSecret(needs, path)
  }

  /** Where the node is going to write its credentials; undefined if there is no node's directory on this machine. */
  #awaitedDirectory(): string | undefined {
    const { env, files } = this.#inputs
    const node = host.nodeDirectory(env)
    if (!isLoopback(this.url.host) || node === undefined || !files.isDirectory(node)) return undefined
    const chains = files.list(join(node, "chains"))
    const chain = this.value("chain") ?? (chains.length === 1 ? chains[0]! : PREFERRED_CHAIN)
    return join(node, "chains", chain)
  }

  #nodeDirectory(has: (directory: string) => boolean): string | undefined {
    const { env, files, inform } = this.#inputs
    const node = host.nodeDirectory(env)
    const wanted = this.value("chain")
    if (!isLoopback(this.url.host) || node === undefined) return undefined
    const chains = join(node, "chains")
    const found = files.list(chains).filter(chain => has(join(chains, chain)))
    if (found.length === 0) return undefined
    const chosen = wanted ?? (found.length === 1 ? found[0]! : PREFERRED_CHAIN)
    if (!found.includes(chosen)) {
      const problem =
        wanted === undefined
          ? `${this.name} matches more than one chain in ${chains}, ${found.join(", ")}: specify --chain CHAIN`
          : `--chain ${wanted} has no credential files in ${chains}; chains that have them: ${found.join(", ")}`
      throw new OperatorError(problem, ExitCode.config)
    }
    if (wanted === undefined && found.length > 1) {
      inform(`${found.length} chains have credential files in ${chains}: using ${chosen}; --chain chooses another`)
    }
    return join(chains, chosen)
  }

  #levels(): readonly GivenOptions[] {
    const { layers } = this.#inputs
    return [layers.flag, layers.variable, this.#own, layers.file]
  }
}

function urlOf(source: GivenOptions): SourceUrl {
  const given = source.get("url")!
  const urls = parseOption("url", given)
  if (urls.length > 1) throw givenError(given, `${given.origin} must be one URL: write one [[source]] table per URL`)
  return urls[0]!
}

function parseOption<N extends OptionName>(name: N, given: Given): NonNullable<Value<N>> {
  const { parser, secret } = optionOf(name)
  return parseGiven(given, parser, secret) as NonNullable<Value<N>>
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.")
}

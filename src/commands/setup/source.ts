/** The source of jobs that `setup` writes: a node on this machine, another node, or a pool. */
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import type { Settings } from "../../config/options.ts"
import { Malformed } from "../../config/parse.ts"
import { sourceUrl } from "../../config/source-url.ts"
import { ExitCode, OperatorError } from "../../errors.ts"
import { host } from "../../host/host.ts"
import { type Answers, type Credential, credential } from "./answers.ts"
import type { Asker } from "./questions.ts"

export type Source = Pick<Answers, "url" | "login" | "token" | "pin">

const LOCAL_NODE = "quic://127.0.0.1:9833"

/** Chain that is used if several have credential files, as `serve` does. */
const PREFERRED_CHAIN = "mainnet"

/** @throws OperatorError (usage) if `--url` is malformed; that of the asker */
export async function askSource(settings: Settings<"setup">, asker: Asker): Promise<Source> {
  const { setupUrl, setupLogin, setupToken, setupPin } = settings
  const node = findNode()
  const url = setupUrl ?? (await askUrl(asker, node))
  if (problemOfUrl(url)) throw new OperatorError(`--url ${url} is ${problemOfUrl(url)}`, ExitCode.usage)
  if (sourceUrl(url).protocol !== "quic") {
    const login = setupLogin ?? (await asker.ask({ text: "Login at the pool (ADDRESS.WORKER)?", flag: "--login" }))
    return { url, login }
  }
  const isLocal = ["127.0.0.1", "localhost", "::1"].includes(sourceUrl(url).host)
  if (isLocal && node && !setupToken && !setupPin) {
    return { url, ...(node.directory !== undefined && credentialsIn(node.directory)) }
  }
  const token = setupToken
    ? fileOf(setupToken)
    : typed(await asker.ask({ text: "Token, or the file that holds it?", flag: "--auth-token-file" }))
  const question = { text: "SHA-256 of the certificate, or the file that holds it?", flag: "--tls-cert-sha256-file" }
  return { url, token, pin: setupPin ? fileOf(setupPin) : typed(await asker.ask(question)) }
}

async function askUrl(asker: Asker, node: LocalNode | undefined): Promise<string> {
  const kind = node
    ? "here"
    : await asker.choose("Where do jobs come from?", "--url", {
        node: "a quantus-node (QUIC)",
        pool: "a Stratum pool",
        here: "a node on this machine",
      })
  if (kind === "here") return LOCAL_NODE
  const text = kind === "node" ? "Address of the node (HOST or HOST:PORT)?" : "Address of the pool (HOST:PORT)?"
  const scheme = kind === "node" ? "quic" : "stratum+tls"
  const urlOf = (address: string) => (address.includes("://") ? address : `${scheme}://${address}`)
  const problem = (address: string) => problemOfUrl(urlOf(address))
  const address = await asker.ask({ text, flag: "--url", problem })
  if (kind === "node" || address.includes("://")) return urlOf(address)
  return (await asker.confirm("Does the pool use TLS?", "--url", true)) ? urlOf(address) : `stratum+tcp://${address}`
}

function problemOfUrl(url: string): string | undefined {
  try {
    sourceUrl(url)
    return undefined
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return error.message
  }
}

/** A node on this machine at its default base path. */
interface LocalNode {
  /** The directory of the chain with credentials; undefined before the node has written them. */
  readonly directory: string | undefined
}

/** @returns undefined without a node, or if several chains have credentials and none of them is preferred */
function findNode(): LocalNode | undefined {
  const base = host.nodeDirectory(process.env)
  if (base === undefined || !existsSync(base)) return undefined
  const files = [...new Bun.Glob("chains/*/miner-auth-token").scanSync({ cwd: base })]
  const chains = files.map(file => join(base, dirname(file)))
  if (chains.length === 0) return { directory: undefined }
  const directory = chains.length === 1 ? chains[0] : chains.find(chain => basename(chain) === PREFERRED_CHAIN)
  if (directory === undefined) return undefined
  if (chains.length > 1) console.log(`${chains.length} chains have credentials: using ${PREFERRED_CHAIN}`)
  return { directory }
}

const credentialsIn = (directory: string): Pick<Source, "token" | "pin"> => ({
  token: { file: join(directory, "miner-auth-token") },
  pin: { file: join(directory, "miner-tls-cert-sha256") },
})

const withHome = (path: string): string => path.replace(/^~(?=\/)/, homedir())

const fileOf = (path: string): Credential => ({ file: resolve(withHome(path)) })

function typed(text: string): Credential {
  const given = credential(withHome(text))
  return "file" in given ? fileOf(given.file) : given
}

/** `setup`: asks what mining needs, writes the configuration file, and offers to start the miner at log-in. */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join, resolve } from "node:path"
import type { Config } from "../config/config.ts"
import { resolveConfig } from "../config/config.ts"
import { systemFiles } from "../config/files.ts"
import type { Settings } from "../config/options.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import { defaultWorkers } from "../host/workers.ts"
import { inExecutable } from "../worker-entry.ts"
import { type Answers, configText, credential } from "./setup/answers.ts"
import { type Autostart, autostartFor } from "./setup/autostart.ts"
import { type Asker, standardAsker, terminalAsker } from "./setup/questions.ts"

type SetupSettings = Settings<"setup">

export async function run({ settings }: Config<"setup">): Promise<void> {
  const config = resolve(settings.output ?? join(configDirectory(), "miner.toml"))
  const program = { executable: process.execPath, config, home: homedir() }
  const autostart = autostartFor(process.platform, program)
  if (settings.remove) return remove(config, autostart)

  const asker = settings.yes || !process.stdin.isTTY ? standardAsker : terminalAsker()
  if (existsSync(config) && !(await asker.confirm(`${config} exists. Replace it?`, "--yes", settings.yes))) {
    throw new OperatorError(`${config} was kept; --output writes another file, --yes replaces it`, ExitCode.failure)
  }
  const answers = await ask(settings, asker)
  await write(config, answers)
  console.log(`wrote ${config}`)
  console.log(`check it with: quantus-miner doctor --config ${config}`)
  console.log(`mine with: quantus-miner serve --config ${config}`)

  if (!autostart || !inExecutable) return
  const wanted = settings.autostart ?? (await asker.confirm("Start the miner when you log in?", "--autostart", false))
  if (wanted) enable(autostart)
}

async function ask(settings: SetupSettings, asker: Asker): Promise<Answers> {
  const source = await askSource(settings, asker)
  const { count } = await host.effectiveCpus()
  const workers =
    settings.cpuWorkers ??
    Number(
      await asker.ask({
        text: `How many of the ${count} CPUs may mine?`,
        flag: "--cpu-workers",
        standard: String(defaultWorkers(count)),
      }),
    )
  const port =
    settings.metricsPort ??
    Number(
      await asker.ask({
        text: "Port of the status page and the metrics on this machine (0 for none)?",
        flag: "--metrics-port",
        standard: "9900",
      }),
    )
  const gpuDevices = settings.setupGpus ?? "all"
  return { ...source, cpuWorkers: workers, gpuDevices, metricsPort: port === 0 ? undefined : port }
}

type Source = Pick<Answers, "url" | "login" | "token" | "pin">

async function askSource(settings: SetupSettings, asker: Asker): Promise<Source> {
  const { setupUrl, setupLogin, setupToken, setupPin } = settings
  const url = setupUrl ?? (await askUrl(asker))
  if (url.startsWith("stratum")) {
    const login = setupLogin ?? (await asker.ask({ text: "Login at the pool (ADDRESS.WORKER)?", flag: "--login" }))
    return { url, login }
  }
  const found = localCredentials(url)
  const token =
    setupToken ??
    found?.token ??
    (await asker.ask({ text: "Token, or the file that holds it?", flag: "--auth-token-file" }))
  const pin =
    setupPin ??
    found?.pin ??
    (await asker.ask({
      text: "SHA-256 of the certificate, or the file that holds it?",
      flag: "--tls-cert-sha256-file",
    }))
  return { url, token: absolute(token), pin: absolute(pin) }
}

async function askUrl(asker: Asker): Promise<string> {
  const node = findNode()
  const kind = node
    ? "here"
    : await asker.choose("Where do jobs come from?", "--url", {
        node: "a quantus-node (QUIC)",
        pool: "a Stratum pool",
        here: "a node on this machine",
      })
  if (kind === "here") return "quic://127.0.0.1:9833"
  const text = kind === "node" ? "Address of the node (HOST or HOST:PORT)?" : "Address of the pool (HOST:PORT)?"
  const address = await asker.ask({ text, flag: "--url" })
  if (address.includes("://")) return address
  if (kind === "node") return `quic://${address}${/:\d+$/.test(address) ? "" : ":9833"}`
  const encrypted = await asker.confirm("Does the pool use TLS?", "--url", true)
  return `stratum+${encrypted ? "tls" : "tcp"}://${address}`
}

/** Token and pin that a node on this machine wrote, for a source on this machine. */
function localCredentials(url: string): { token: string; pin: string } | undefined {
  if (!/^quic:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(url)) return undefined
  const directory = findNode()
  if (directory === undefined) return undefined
  return { token: join(directory, "miner-auth-token"), pin: join(directory, "miner-tls-cert-sha256") }
}

/** Directory of the one chain of a local node that has written its token; undefined with none or several. */
function findNode(): string | undefined {
  const base = host.nodeDirectory(process.env)
  if (base === undefined || !existsSync(join(base, "chains"))) return undefined
  const files = [...new Bun.Glob("chains/*/miner-auth-token").scanSync({ cwd: base })]
  return files.length === 1 ? join(base, dirname(files[0]!)) : undefined
}

function absolute(text: string): ReturnType<typeof credential> {
  const given = credential(text.replace(/^~(?=\/)/, homedir()))
  return "file" in given ? { file: resolve(given.file) } : given
}

/** Writes the file for its owner only, and resolves it as `serve` would. A file with a mistake is not kept. */
async function write(path: string, answers: Answers): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.new`
  writeFileSync(draft, configText(answers), { mode: 0o600 })
  chmodSync(draft, 0o600)
  try {
    await resolveConfig("serve", ["--config", draft], {}, systemFiles)
    renameSync(draft, path)
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    throw new OperatorError(error.message.replaceAll(draft, path), error.exitCode)
  } finally {
    rmSync(draft, { force: true })
  }
}

function enable({ file, text, enable, note }: Autostart): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  for (const command of enable) {
    const { success, stderr } = Bun.spawnSync([...command])
    if (!success) {
      throw new OperatorError(
        `${command.join(" ")} failed: ${stderr.toString().trim()}; ${file} was written`,
        ExitCode.failure,
      )
    }
  }
  console.log(`the miner starts at log-in (${file}): ${note}; setup --remove undoes it`)
}

/** Undoes the autostart. The configuration is the owner's and stays. */
function remove(config: string, autostart: Autostart | undefined): void {
  if (!autostart || !existsSync(autostart.file)) {
    console.log("the miner does not start at log-in: nothing to remove")
    return
  }
  for (const command of autostart.disable) Bun.spawnSync([...command])
  rmSync(autostart.file)
  console.log(`removed ${autostart.file}; ${config} was kept`)
}

function configDirectory(): string {
  if (process.platform === "win32")
    return join(process.env["APPDATA"] || join(homedir(), "AppData/Roaming"), "quantus-miner")
  if (process.platform === "darwin") return join(homedir(), "Library/Application Support/quantus-miner")
  return join(process.env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "quantus-miner")
}

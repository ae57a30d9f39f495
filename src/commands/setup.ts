/** `setup`: asks what mining needs, writes the configuration file, and offers to measure and to start at login. */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join, resolve } from "node:path"
import type { Config } from "../config/config.ts"
import { resolveConfig } from "../config/config.ts"
import { systemFiles } from "../config/files.ts"
import { type OptionName, optionOf, type Settings } from "../config/options.ts"
import { Malformed } from "../config/parse.ts"
import { MissingSecret } from "../config/secrets.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import { defaultWorkers } from "../host/workers.ts"
import { inExecutable } from "../worker-entry.ts"
import { type Answers, configText } from "./setup/answers.ts"
import { type Autostart, autostartFor } from "./setup/autostart.ts"
import { listGpus, measureCpus } from "./setup/machine.ts"
import { type Asker, standardAsker, terminalAsker } from "./setup/questions.ts"
import { askSource } from "./setup/source.ts"

type SetupSettings = Settings<"setup">

export async function run({ settings }: Config<"setup">): Promise<void> {
  const config = resolve(settings.output ?? join(configDirectory(), "miner.toml"))
  const program = { executable: process.execPath, config, home: homedir(), userConfig: userConfigDirectory() }
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

  const question = "Measure this machine's CPUs for some seconds?"
  const isAsked = settings.measure === undefined && asker !== standardAsker
  const isMeasured = isAsked ? await asker.confirm(question, "--measure", true) : settings.measure
  if (isMeasured) console.log(await measureCpus(config))

  if (!autostart || !inExecutable) return
  const [[service] = []] = autostart.enable
  if (!Bun.which(service!)) {
    if (settings.autostart) throw new OperatorError(`--autostart needs ${service}, which is absent`, ExitCode.failure)
    return
  }
  const wanted = settings.autostart ?? (await asker.confirm("Start the miner when you log in?", "--autostart", false))
  if (wanted) enable(autostart)
}

async function ask(settings: SetupSettings, asker: Asker): Promise<Answers> {
  const source = await askSource(settings, asker)
  const { count } = await host.effectiveCpus()
  const workers =
    settings.cpuWorkers ??
    (await asker.ask({
      text: `How many of the ${count} CPUs may mine?`,
      flag: "--cpu-workers",
      standard: String(defaultWorkers(count)),
      problem: problemFor("cpuWorkers"),
    }))
  const gpuDevices = settings.setupGpus ?? (await askGpus(asker))
  const port =
    settings.metricsPort ??
    (await asker.ask({
      text: "Port of the status page and the metrics on this machine (0 for none)?",
      flag: "--metrics-port",
      standard: "9900",
      problem: problemFor("metricsPort"),
    }))
  return {
    ...source,
    cpuWorkers: Number(workers),
    gpuDevices,
    metricsPort: Number(port) === 0 ? undefined : Number(port),
  }
}

/** GPUs that are plugged in later are used as well if all may mine. */
async function askGpus(asker: Asker): Promise<string> {
  const gpus = await listGpus()
  for (const line of gpus) console.log(line)
  if (gpus.length === 0) return "all"
  return await asker.ask({
    text: "Which GPUs may mine (all, 0 for none, or a list such as 0,2)?",
    flag: "--gpu-devices",
    standard: "all",
    problem: problemFor("gpuDevices"),
  })
}

/** Why an option refuses an answer; undefined if it takes it. */
const problemFor = (option: OptionName) => (answer: string) => {
  try {
    optionOf(option).parser.parse(answer)
    return undefined
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return error.message
  }
}

/** Writes the file for its owner only, and resolves it as `serve` would. A file with a mistake is not kept. */
async function write(path: string, answers: Answers): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.new`
  writeFileSync(draft, configText(answers), { mode: 0o600 })
  chmodSync(draft, 0o600)
  try {
    const env = Object.entries(process.env).filter(([name]) => !name.startsWith("MINER_"))
    await resolveConfig("serve", ["--config", draft], Object.fromEntries(env), systemFiles).catch(allowMissingSecret)
    renameSync(draft, path)
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    throw new OperatorError(error.message.replaceAll(draft, path), error.exitCode)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** `serve` waits for a node's credentials, so they may be absent here. */
function allowMissingSecret(error: unknown): void {
  if (!(error instanceof MissingSecret)) throw error
  console.log(`${error.path} does not exist yet: serve waits for it`)
}

function enable({ file, text, before = [], enable, note }: Autostart): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  for (const command of before) problemOfCommand(command)
  for (const command of enable) {
    const problem = problemOfCommand(command)
    if (problem !== undefined) throw new OperatorError(`${problem}; ${file} was written`, ExitCode.failure)
  }
  console.log(`the miner starts at login (${file}): ${note}; setup --remove undoes it`)
}

/** Undoes the autostart. The configuration is the owner's and stays. */
function remove(config: string, autostart: Autostart | undefined): void {
  if (!autostart || !existsSync(autostart.file)) {
    console.log("the miner does not start at login: nothing to remove")
    return
  }
  for (const command of autostart.disable) {
    const problem = problemOfCommand(command)
    if (problem !== undefined) console.warn(problem)
  }
  rmSync(autostart.file)
  for (const command of autostart.after ?? []) problemOfCommand(command)
  console.log(`removed ${autostart.file}; ${config} was kept`)
}

/** Runs a program of the system. @returns why it failed; undefined if it did not */
function problemOfCommand(command: readonly string[]): string | undefined {
  try {
    const { success, stderr } = Bun.spawnSync([...command])
    return success ? undefined : `${command.join(" ")} failed: ${stderr.toString().trim()}`
  } catch (error) {
    return `${command.join(" ")} cannot be run: ${(error as Error).message}`
  }
}

/** The directory of the user's configuration files on Linux. */
const userConfigDirectory = (): string => process.env["XDG_CONFIG_HOME"] || join(homedir(), ".config")

function configDirectory(): string {
  if (process.platform === "win32")
    return join(process.env["APPDATA"] || join(homedir(), "AppData/Roaming"), "quantus-miner")
  if (process.platform === "darwin") return join(homedir(), "Library/Application Support/quantus-miner")
  return join(userConfigDirectory(), "quantus-miner")
}

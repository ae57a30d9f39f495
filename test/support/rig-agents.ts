/** Stand-ins for the agents of HiveOS and mmpOS: they install a package and call its scripts as the real ones do. */
import { createHash } from "node:crypto"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { basename, join } from "node:path"
import { LoggedProcess } from "./logged-process.ts"

/** The fields of a HiveOS flight sheet, by their names in `wallet.conf`. */
export interface FlightSheet {
  readonly CUSTOM_URL: string
  /** Wallet and worker template. */
  readonly CUSTOM_TEMPLATE: string
  readonly CUSTOM_PASS?: string
  /** Extra config arguments. */
  readonly CUSTOM_USER_CONFIG?: string
}

export interface HiveStats {
  readonly khs: string
  readonly stats: Readonly<Record<string, unknown>> | null
  /** What the script printed, which disturbs the agent. */
  readonly printed: string
}

/** Variables that HiveOS exports to a miner. */
const HIVE_EXPORTS = "export MINER_FORK= MINER_VER= MINER_API_PORT= MINER_LOG_BASENAME=/var/log/miner/custom/custom"

/** HiveOS: `custom-get`, `miner-run custom`, `miner stop` and the agent's `miner_stats`. */
export class HiveAgent {
  readonly #root: string
  readonly #custom: string
  readonly #edit: (text: string) => string

  /**
   * @param root takes the place of `/`: the package's scripts are edited, as `custom-get` edits the paths of old packages
   * @param port takes the place of the package's port
   */
  constructor(root: string, port: number) {
    this.#root = root
    this.#custom = join(root, "hive/miners/custom")
    this.#edit = text =>
      text.replace(/(?<==)\/(?=hive|var)/g, `${root}/`).replace(/^(CUSTOM_API_PORT=)\d+/m, `$1${port}`)
    mkdirSync(join(this.#custom, "downloads"), { recursive: true })
  }

  /** Installs a package from an archive whose name is the end of its URL. @returns the miner's name, by the file's name */
  install(archive: string): string {
    const name = basename(archive, ".tar.gz").replace(/-[^-]*$/, "")
    const folder = join(this.#custom, name)
    const downloaded = join(this.#custom, "downloads", basename(archive))
    if (existsSync(downloaded) && existsSync(folder)) return name
    rmSync(folder, { recursive: true, force: true })
    copyFileSync(archive, downloaded)
    succeed(["tar", "-xzf", downloaded, "-C", this.#custom])
    for (const file of readdirSync(folder))
      if (/^h-/.test(file)) {
        const path = join(folder, file)
        const { mode } = statSync(path)
        writeFileSync(path, this.#edit(readFileSync(path, "utf8")), { mode })
      }
    return name
  }

  /** A file of the installed package. */
  path(name: string, file: string): string {
    return join(this.#custom, name, file)
  }

  get root(): string {
    return this.#root
  }

  /** Writes the configuration alone. */
  configure(name: string, sheet: FlightSheet): void {
    succeed(this.#bash(`${HIVE_EXPORTS}; ${configure(name, sheet)}`))
  }

  /** `miner start`: the loop in a window of `screen`. */
  start(name: string, sheet: FlightSheet): Screen {
    const loop = [
      HIVE_EXPORTS,
      configure(name, sheet),
      'cd "$MINER_DIR/$CUSTOM_MINER"',
      'while true; do "$MINER_DIR/$CUSTOM_MINER/h-run.sh"; echo "custom exited, waiting to cooldown a bit"; sleep 3; done',
    ].join("\n")
    return new Screen(this.#bash(loop), this.#root)
  }

  async stats(name: string): Promise<HiveStats> {
    const result = join(this.#root, "stats.json")
    const script = `
      miner_stats() {
        local miner=custom mindex=
        khs=unset
        stats=unset
        . "$MINER_DIR/$CUSTOM_MINER/h-stats.sh"
      }
      loop() {
        local temp=kept fan=kept power=kept i=kept
        miner_stats
        [[ $temp$fan$power$i == keptkeptkeptkept ]] || echo "a variable of the agent was changed"
      }
      loop
      jq -n --arg khs "$khs" --argjson stats "$stats" '{$khs, $stats}' > '${result}'`
    const printed = await outputOf(this.#bash(`CUSTOM_MINER=${name}\n${script}`))
    return { ...(JSON.parse(readFileSync(result, "utf8")) as Omit<HiveStats, "printed">), printed }
  }

  #bash(script: string): string[] {
    return ["bash", "-c", `MINER_DIR=${this.#custom}\n${script}`]
  }
}

/** A window of `screen`, which HiveOS starts from a service. */
export class Screen {
  text = ""
  readonly #process: Bun.Subprocess

  constructor(command: string[], home: string) {
    this.#process = Bun.spawn(command, {
      env: { PATH: process.env["PATH"], HOME: home, INVOCATION_ID: "0123456789abcdef0123456789abcdef" },
      // Log lines are searched for texts that must not be broken.
      terminal: {
        cols: 1000,
        rows: 50,
        data: (_, bytes) => {
          this.text += Buffer.from(bytes).toString()
        },
      },
    })
  }

  get exited(): Promise<number> {
    return this.#process.exited
  }

  /** Settles when the window shows `text`. */
  async shows(text: string): Promise<void> {
    for (const end = performance.now() + 60_000; !this.text.includes(text); await Bun.sleep(10))
      if (performance.now() > end) throw new Error(`the screen shows ${this.text}`)
  }

  /** What `miner stop` does first. */
  pressControlC(): void {
    this.#process.terminal!.write("\x03")
  }

  /** What `miner stop` does if the window has not ended after 15 s. */
  async quit(): Promise<void> {
    this.#process.terminal!.close()
    await this.exited
  }
}

/** `miner_config_gen`, with the rig's and the flight sheet's settings as shell variables that are not exported. */
function configure(name: string, sheet: FlightSheet): string {
  const settings = { CUSTOM_MINER: name, WORKER_NAME: "rig7", MINER_NAME: "custom", ...sheet }
  return [
    ...Object.entries(settings).map(([variable, value]) => `${variable}=${quoted(value)}`),
    `miner_config_gen() { . "$MINER_DIR/$CUSTOM_MINER/h-manifest.conf"; . "$MINER_DIR/$CUSTOM_MINER/h-config.sh"; }`,
    "miner_config_gen",
  ].join("\n")
}

/** mmpOS: unpacks a package to a folder named by its URL and calls `mmp-stats.sh`. */
export class MmposAgent {
  readonly #root: string
  #folder = ""

  constructor(root: string) {
    this.#root = root
  }

  install(url: string, archive: string): void {
    const digest = createHash("sha256").update(url).digest("hex").slice(0, 5)
    this.#folder = join(this.#root, `opt/mmp/miners/custom-${digest}`)
    if (existsSync(this.#folder)) return
    mkdirSync(this.#folder, { recursive: true })
    succeed(["tar", "-xzf", archive, "-C", this.#folder, "--strip-components=1"])
  }

  path(file: string): string {
    return join(this.#folder, file)
  }

  /** @param command the profile's arguments, with the placeholders replaced */
  start(command: readonly string[]): LoggedProcess {
    const env = { PATH: process.env["PATH"], HOME: this.#root, MINER_ID: "1" }
    const script = 'cd "$1" && shift && exec "$@"'
    return new LoggedProcess(["bash", "-c", script, "bash", this.#folder, ...command], { env })
  }

  /** What the agent reads. */
  async stats(): Promise<string> {
    return (await outputOf([this.path("mmp-stats.sh"), "1", join(this.#root, "miner.log")])).trim()
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

function succeed(command: string[]): void {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { stdin: "ignore" })
  check(command, exitCode, `${stdout}${stderr}`, stderr.length)
}

/** What a command prints, while this process may serve what it asks for. */
async function outputOf(command: string[]): Promise<string> {
  const { stdout, stderr, exited } = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" })
  const [output, errors, exitCode] = await Promise.all([stdout.text(), stderr.text(), exited])
  check(command, exitCode, `${output}${errors}`, errors.length)
  return output
}

function check(command: readonly string[], exitCode: number, output: string, errors: number): void {
  if (exitCode !== 0 || errors > 0) throw new Error(`${command.join(" ")}: ${exitCode} ${output}`)
}

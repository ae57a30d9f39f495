/** This system's root, copied on write, in which systemd is booted and packages can be installed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const SERVICE = "quantus-miner.service"

/** What this machine lacks to boot one. */
export function missingForBoot(): string | undefined {
  if (process.getuid!() !== 0) return "root"
  if (!existsSync("/lib/systemd/systemd")) return "systemd"
  return unifiedMount() === undefined ? "a cgroup2 mount" : undefined
}

/** Where the kernel's single hierarchy is mounted. */
function unifiedMount(): string | undefined {
  return /^cgroup2? (\S+) cgroup2 (?:\S+,)?rw/m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1]
}

export class BootedRoot {
  readonly #directory = mkdtempSync(join(tmpdir(), "quantus-root-"))
  readonly #group = join(unifiedMount()!, `quantus-root-${process.pid}`)
  #unshare: Bun.Subprocess | undefined
  #pid = ""

  /** A folder that the root sees as `/run/packages`. */
  readonly packages = join(this.#directory, "packages")

  async boot(): Promise<void> {
    const dropIns = join(this.#directory, "system", `${SERVICE}.d`)
    for (const path of [dropIns, this.packages, this.#group]) mkdirSync(path, { recursive: true })
    await Bun.write(join(this.#directory, "system/idle.target"), "[Unit]\nDefaultDependencies=no\n")
    // Nothing else of the system is there to be waited for.
    await Bun.write(join(dropIns, "90-alone.conf"), "[Unit]\nDefaultDependencies=no\n")
    const script = [
      'echo $$ > "$1/cgroup.procs"',
      'exec unshare --cgroup --mount --pid --uts --ipc --fork --kill-child sh "$2" "$3"',
    ]
    const args = [this.#group, join(import.meta.dir, "boot-root.sh"), this.#directory]
    this.#unshare = Bun.spawn(["sh", "-c", script.join("\n"), "sh", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    })
    const { pid } = this.#unshare
    await eventually(() => {
      this.#pid = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
      return this.#pid !== "" && this.run("systemctl", "show", "--property=Version").exitCode === 0
    })
  }

  /** Runs a command in the root. */
  run(...command: string[]): { exitCode: number; output: string } {
    const enter = ["nsenter", `--target=${this.#pid}`, "--mount", "--pid", `--wdns=/`]
    const { exitCode, stdout, stderr } = Bun.spawnSync([...enter, ...command], {
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
      stdin: "ignore",
    })
    return { exitCode, output: `${stdout}${stderr}`.trim() }
  }

  /** A property of the service. */
  show(property: string): string {
    return this.run("systemctl", "show", "--value", `--property=${property}`, SERVICE).output
  }

  async end(): Promise<void> {
    this.#unshare?.kill("SIGKILL")
    await this.#unshare?.exited
    if (existsSync(this.#group)) {
      await eventually(() => readFileSync(join(this.#group, "cgroup.events"), "utf8").includes("populated 0"))
      removeGroup(this.#group)
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** Settles when `condition` holds; rejects if that takes more than a minute. */
export async function eventually(condition: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within a minute: ${condition}`)
    await Bun.sleep(50)
  }
}

/** A control group can be removed only after the groups in it. */
function removeGroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(path, entry.name))
  rmdirSync(path)
}

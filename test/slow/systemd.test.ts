/**
 * The unit and its overrides under a real systemd, booted in separate namespaces: a stand-in looks at
 * what they leave the miner, then the miner runs.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs"
import { getPriority, tmpdir } from "node:os"
import { join } from "node:path"
import { ExitCode } from "../../src/errors.ts"

const service = "quantus-miner.service"
const here = import.meta.dir
const units = join(here, "../../systemd")
/** The booted systemd has it from this process, and services that set none from systemd. */
const inheritedNice = getPriority()

const why = missing()
if (why !== undefined) console.log(`Skipped: no systemd to boot (${why})`)

function missing(): string | undefined {
  if (process.platform !== "linux") return "not Linux"
  if (process.getuid!() !== 0) return "needs root"
  if (!existsSync("/lib/systemd/systemd")) return "systemd is not installed"
  if (unifiedMount() === undefined) return "no cgroup2 mount"
  const probe = Bun.spawnSync(["unshare", "--cgroup", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"])
  return probe.success ? undefined : "namespaces cannot be made"
}

/** Where the kernel's single hierarchy is mounted. */
function unifiedMount(): string | undefined {
  return /^cgroup2? (\S+) cgroup2 (?:\S+,)?rw/m.exec(readFileSync("/proc/self/mounts", "utf8"))?.[1]
}

describe.skipIf(why !== undefined)("systemd", () => {
  let directory = ""
  let group = ""
  let dropIns = ""
  let unshare: Bun.Subprocess | undefined
  let pid = ""

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "quantus-systemd-"))
    group = join(unifiedMount()!, `quantus-test-${process.pid}`)
    dropIns = join(directory, "etc/systemd/system", `${service}.d`)
    const file = (path: string, text: string) => Bun.write(join(directory, path), text)
    cpSync("/etc", join(directory, "etc"), { recursive: true, verbatimSymlinks: true })
    rmSync(join(directory, "etc/systemd/system"), { recursive: true, force: true })
    for (const name of ["state", "bin", "etc/systemd/system"]) mkdirSync(join(directory, name), { recursive: true })
    build("build", "--compile", join(here, "stand-in-service.ts"), "--outfile", join(directory, "stand-in"))
    build(join(here, "../../scripts/build.ts"), "--outfile", join(directory, "miner"))
    cpSync(join(units, service), join(directory, "etc/systemd/system", service))
    await file("etc/systemd/system/idle.target", "[Unit]\nDefaultDependencies=no\n")
    await file("etc/quantus-miner/miner-auth-token", "the token\n")

    mkdirSync(group)
    const boot = [
      'echo $$ > "$1/cgroup.procs"',
      'exec unshare --cgroup --mount --pid --uts --ipc --fork --kill-child sh "$2" "$3"',
    ]
    const args = [group, join(here, "boot-systemd.sh"), directory]
    unshare = Bun.spawn(["sh", "-c", boot.join("\n"), "sh", ...args], { stdio: ["ignore", "ignore", "inherit"] })
    await eventually(() => {
      pid = readFileSync(`/proc/${unshare!.pid}/task/${unshare!.pid}/children`, "utf8").trim()
      return pid !== "" && systemctl("show", "--property=Version").success
    })
  })

  afterEach(() => {
    systemctl("kill", "--signal=KILL", service)
    systemctl("stop", service)
    systemctl("reset-failed", service)
  })

  afterAll(async () => {
    unshare?.kill("SIGKILL")
    await unshare?.exited
    if (existsSync(group)) {
      await eventually(() => readFileSync(join(group, "cgroup.events"), "utf8").includes("populated 0"))
      removeGroup(group)
    }
    rmSync(directory, { recursive: true, force: true })
  })

  test("runs with everything that it needs under its hardening", async () => {
    await configure({ flags: "--verbose --x y" })
    expect(systemctl("start", service).success).toBe(true)
    expect(facts()).toEqual({
      root: false,
      directory: "/var/lib/private/quantus-miner",
      arguments: ["serve", "--verbose", "--x", "y"],
      effective: expect.any(Number),
      model: "string",
      bound: true,
      nice: inheritedNice,
      state: true,
      credentials: {
        "miner-auth-token": "the token",
        "miner-login": "",
        "miner-metrics-token": "",
        "miner-password": "",
        "miner-tls-cert-sha256": "",
      },
      executableMemory: true,
      worker: true,
      watchdog: 30_000,
    })
    expect(show("ActiveState")).toBe("active")
  })

  test.each([
    ["10-shared-hardware.conf", 10],
    ["20-dedicated-hardware.conf", -5],
    ["30-gpu.conf", inheritedNice],
  ])("%s", async (name, nice) => {
    await configure({ dropIn: readFileSync(join(units, "overrides", name), "utf8") })
    expect(systemctl("start", service).success).toBe(true)
    expect(facts()).toMatchObject({ nice, bound: true, executableMemory: true, worker: true })
  })

  test("reloads by SIGHUP", async () => {
    await configure({})
    systemctl("start", service)
    expect(systemctl("reload", service).success).toBe(true)
    await eventually(() => show("StatusText") === "reloaded")
    expect(show("ActiveState")).toBe("active")
  })

  test("stops in order", async () => {
    await configure({})
    systemctl("start", service)
    expect(systemctl("stop", service).success).toBe(true)
    expect(show("ActiveState")).toBe("inactive")
    expect(show("Result")).toBe("success")
    expect(show("ExecMainStatus")).toBe("0")
  })

  test("is started again by the watchdog once it makes no progress", async () => {
    await configure({ dropIn: "[Service]\nWatchdogSec=1\nRestartSec=0\n" })
    systemctl("start", service)
    systemctl("kill", "--signal=USR1", service)
    await eventually(() => show("NRestarts") === "1" && show("ActiveState") === "active")
  })

  const { ok: _, failure, lost, rejected, ...permanent } = ExitCode
  test.each(Object.entries(permanent))("is not started again after exit code %s", async (_, code) => {
    await configure({ flags: `--exit ${code}` })
    expect(systemctl("start", service).success).toBe(false)
    expect(show("ActiveState")).toBe("failed")
    expect(show("ExecMainStatus")).toBe(`${code}`)
    expect(show("NRestarts")).toBe("0")
  })

  test.each(Object.entries({ failure, lost, rejected }))("is started again after exit code %s", async (_, code) => {
    await configure({ flags: `--exit ${code}` })
    systemctl("start", service)
    expect(show("ExecMainStatus")).toBe(`${code}`)
    expect(show("SubState")).toBe("auto-restart")
  })

  test("the miner itself is ready while its node is silent, reloads and stops", async () => {
    await Bun.write(join(directory, "etc/quantus-miner/miner-tls-cert-sha256"), "00".repeat(32))
    await configure({ executable: "miner", flags: "--node-addr 127.0.0.1:1 --cpu-workers 1 --gpu-devices 0" })
    expect(systemctl("start", service).success).toBe(true)
    await eventually(() => show("StatusText").includes("H/s"))
    expect(systemctl("reload", service).success).toBe(true)
    expect(systemctl("stop", service).success).toBe(true)
    expect(show("Result")).toBe("success")
    expect(show("ExecMainStatus")).toBe("0")
    expect(show("NRestarts")).toBe("0")
  })

  async function configure({ flags = "", dropIn = "", executable = "stand-in" }) {
    cpSync(join(directory, executable), join(directory, "bin/quantus-miner"))
    await Bun.write(join(directory, "etc/default/quantus-miner"), `EXTRA_MINER_FLAGS=${flags}\n`)
    await Bun.write(join(dropIns, "50-override.conf"), dropIn)
    // Nothing else of the system is there to be waited for.
    await Bun.write(
      join(dropIns, "90-alone.conf"),
      "[Unit]\nDefaultDependencies=no\n[Service]\nStandardOutput=null\nStandardError=null\n",
    )
    systemctl("daemon-reload")
  }

  function systemctl(command: string, ...args: string[]) {
    return Bun.spawnSync(["nsenter", `--target=${pid}`, "--mount", "--pid", "systemctl", command, ...args])
  }

  function show(property: string): string {
    return systemctl("show", "--value", `--property=${property}`, service).stdout.toString().trim()
  }

  function facts(): unknown {
    return JSON.parse(show("StatusText"))
  }
})

function build(...args: string[]) {
  const { success, stderr } = Bun.spawnSync([process.execPath, ...args])
  if (!success) throw new Error(stderr.toString())
}

/** Settles when `condition` holds, and fails where it does not within ten seconds. */
async function eventually(condition: () => boolean) {
  const end = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ten seconds: ${condition}`)
    await Bun.sleep(50)
  }
}

/** A control group can be removed only when its own are. */
function removeGroup(path: string) {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(path, entry.name))
  rmdirSync(path)
}

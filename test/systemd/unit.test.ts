import { afterAll, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ExitCode } from "../../src/errors.ts"

const systemd = join(import.meta.dir, "../../systemd")
const unit = readFileSync(join(systemd, "quantus-miner.service"), "utf8")
const overrides = ["10-shared-hardware.conf", "20-dedicated-hardware.conf", "30-gpu.conf"]

/** Every assignment to `key`, in order. */
function settings(text: string, key: string): string[] {
  return text
    .split("\n")
    .filter(line => line.startsWith(`${key}=`))
    .map(line => line.slice(key.length + 1))
}

describe("the unit", () => {
  test("starts, reloads and stops the miner", () => {
    expect(settings(unit, "Type")).toEqual(["notify"])
    expect(settings(unit, "ExecStart")).toEqual(["/usr/local/bin/quantus-miner serve $EXTRA_MINER_FLAGS"])
    expect(settings(unit, "ExecReload")).toEqual(["/bin/kill -HUP $MAINPID"])
    expect(settings(unit, "KillSignal")).toEqual(["SIGINT"])
    expect(settings(unit, "EnvironmentFile")).toEqual(["-/etc/default/quantus-miner", "-/etc/sysconfig/quantus-miner"])
  })

  test("is restarted except after the exit codes that docs/exit-codes.md calls permanent", () => {
    const page = readFileSync(join(systemd, "../docs/exit-codes.md"), "utf8")
    const rows = [...page.matchAll(/^\| (\d+) \| [^|]+ \| (yes|no)\b/gm)].map(([, code, restarted]) => ({
      code: Number(code),
      restarted: restarted === "yes",
    }))
    expect(rows.map(({ code }) => code)).toEqual(Object.values(ExitCode).sort((a, b) => a - b))
    const permanent = rows.filter(({ restarted }) => !restarted).map(({ code }) => code)
    expect(permanent).toEqual([ExitCode.usage, ExitCode.selfTest, ExitCode.config])
    expect(settings(unit, "Restart")).toEqual(["always"])
    expect(settings(unit, "RestartPreventExitStatus")).toEqual([permanent.join(" ")])
  })

  test("gets its secrets by credentials that may be missing", () => {
    const names = (key: string) => settings(unit, key).map(value => value.split(":")[0])
    expect(names("LoadCredential")).toEqual([
      "miner-auth-token",
      "miner-tls-cert-sha256",
      "miner-login",
      "miner-password",
      "miner-metrics-token",
    ])
    expect(names("SetCredential")).toEqual(names("LoadCredential"))
  })

  test("leaves the compilers their memory", () => {
    expect(settings(unit, "MemoryDenyWriteExecute")).toEqual(["no"])
  })
})

const analyze = Bun.which("systemd-analyze")
if (analyze === null) console.log("Skipped: systemd-analyze is not installed, so the units are not verified")

describe.skipIf(analyze === null)("systemd-analyze", () => {
  const made: string[] = []
  afterAll(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true })
  })

  /** The unit with these drop-ins in a separate directory; its executable exists. */
  function install(dropIns: readonly string[], edit = (text: string) => text): string {
    const directory = mkdtempSync(join(tmpdir(), "quantus-unit-"))
    made.push(directory)
    const executable = join(directory, "quantus-miner")
    writeFileSync(executable, "#!/bin/sh\n")
    chmodSync(executable, 0o755)
    const path = join(directory, "quantus-miner.service")
    writeFileSync(path, edit(unit).replace("/usr/local/bin/quantus-miner", executable))
    mkdirSync(`${path}.d`)
    for (const name of dropIns) writeFileSync(join(`${path}.d`, name), readFileSync(join(systemd, "overrides", name)))
    return path
  }

  function run(...args: string[]): { output: string; exitCode: number } {
    const { stdout, stderr, exitCode } = Bun.spawnSync([analyze!, ...args], { env: { ...process.env, LC_ALL: "C" } })
    return { output: `${stdout}${stderr}`.trim(), exitCode }
  }

  const combinations = [[], ...overrides.map(name => [name]), [overrides[0]!, overrides[2]!], overrides.slice(1)]
  describe.each(combinations.map(names => [names.join(" and ") || "alone", names] as const))("%s", (_, dropIns) => {
    test("verify is clean", () => {
      expect(run("verify", install(dropIns))).toEqual({ output: "", exitCode: 0 })
    })

    test("security: exposure of 1.5 or less", () => {
      const { output } = run("security", "--offline=yes", "--no-pager", install(dropIns))
      const exposure = Number(/Overall exposure level for \S+: (\d+\.\d+)/.exec(output)?.[1])
      expect(exposure).toBeLessThanOrEqual(1.5)
    })
  })

  test("would notice a mistake in the unit and in a drop-in", () => {
    const path = install([], text => text.replace("Restart=always", "Restart=allways"))
    expect(run("verify", path).output).toContain("allways")
    const other = install([])
    writeFileSync(join(`${other}.d`, "40-mistake.conf"), "[Service]\nCPUAffinty=0\n")
    expect(run("verify", other).output).toContain("CPUAffinty")
  })
})

/** The .deb and the .rpm under a booted systemd: installed, upgraded, removed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { copyFileSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { nfpm, writePackages } from "../../scripts/release/packages.ts"
import { RELEASE, unpack } from "./artefacts.ts"
import { BootedRoot, eventually, missingForBoot } from "./booted-root.ts"

const ROOT = join(import.meta.dir, "../..")
const NEWER = "999.0.0"
const SETTINGS = "MINER_NODE_ADDR=127.0.0.1:1\nMINER_CPU_WORKERS=1\nMINER_GPU_DEVICES=0\n"

const FORMATS = [
  {
    format: "deb",
    tool: "dpkg",
    settings: "/etc/default/quantus-miner",
    install: (path: string) => ["dpkg", "--install", path],
    upgrade: (path: string) => ["dpkg", "--install", path],
    remove: ["dpkg", "--remove", "quantus-miner"],
    kept: "/etc/default/quantus-miner",
    purge: ["dpkg", "--purge", "quantus-miner"],
    zsh: "/usr/share/zsh/vendor-completions/_quantus-miner",
  },
  {
    format: "rpm",
    tool: "rpm",
    settings: "/etc/sysconfig/quantus-miner",
    // The C library belongs to another package manager here.
    install: (path: string) => ["rpm", "--install", "--nodeps", path],
    upgrade: (path: string) => ["rpm", "--upgrade", "--nodeps", path],
    remove: ["rpm", "--erase", "quantus-miner"],
    kept: "/etc/sysconfig/quantus-miner.rpmsave",
    purge: undefined,
    zsh: "/usr/share/zsh/site-functions/_quantus-miner",
  },
] as const

const missing = missingForBoot()
const why = missing === undefined ? "" : ` (skipped: needs ${missing})`

describe.skipIf(missing !== undefined)(`packages${why}`, () => {
  const root = new BootedRoot()

  beforeAll(async () => {
    await root.boot()
    const scratch = join(root.packages, "scratch")
    mkdirSync(scratch)
    const newer = { version: NEWER, time: 0, executable: unpack("linux-x64"), architecture: "amd64" } as const
    const tool = nfpm(join(ROOT, "node_modules/.cache/release"))
    writePackages({ ...newer, root: ROOT, scratch, outdir: root.packages, nfpm: tool })
    for (const name of readdirSync(RELEASE).filter(name => /(amd64\.deb|x86_64\.rpm)$/.test(name)))
      copyFileSync(join(RELEASE, name), join(root.packages, name))
  })
  afterAll(() => root.end())

  const packageOf = (format: string, version: string) => {
    const name = readdirSync(root.packages).find(name => name.includes(version) && name.endsWith(format))!
    return `/run/packages/${name}`
  }
  const succeed = (...command: string[]) => {
    const { exitCode, output } = root.run(...command)
    expect(`${command.join(" ")}: ${exitCode} ${exitCode === 0 ? "" : output}`).toBe(`${command.join(" ")}: 0 `)
    return output
  }
  const exists = (path: string) => root.run("test", "-e", path).exitCode === 0

  for (const { format, tool, settings, install, upgrade, remove, kept, purge, zsh } of FORMATS) {
    const lacks = Bun.which(tool) === null
    describe.skipIf(lacks)(`${format}${lacks ? ` (skipped: needs ${tool})` : ""}`, () => {
      test("installs the program, its manual page and its completions, and starts nothing", () => {
        succeed(...install(packageOf(format, packageJson.version)))
        expect(succeed("quantus-miner", "--version")).toBe(`quantus-miner ${packageJson.version}`)
        expect(root.show("ActiveState")).toBe("inactive")
        expect(root.show("UnitFileState")).toBe("disabled")
        expect(succeed("stat", "--format=%a", settings)).toBe("640")
        expect(succeed("gzip", "--test", "/usr/share/man/man1/quantus-miner.1.gz")).toBe("")
        for (const path of [
          "/usr/share/bash-completion/completions/quantus-miner",
          zsh,
          "/usr/share/fish/vendor_completions.d/quantus-miner.fish",
          "/usr/share/quantus-miner/grafana/host.json",
          "/usr/share/quantus-miner/prometheus/alerts.yml",
          "/usr/share/quantus-miner/prometheus/fleet/fleet.yml",
          "/usr/share/doc/quantus-miner/overrides/30-gpu.conf",
        ])
          expect(`${path} ${exists(path)}`).toBe(`${path} true`)
        expect(succeed("systemd-analyze", "verify", "quantus-miner.service")).toBe("")
      })

      test("the service mines with the settings and credentials", async () => {
        succeed("sh", "-c", `printf '${SETTINGS.replaceAll("\n", "\\n")}' >> ${settings}`)
        succeed("sh", "-c", "echo token > /etc/quantus-miner/miner-auth-token")
        succeed("sh", "-c", `echo ${"00".repeat(32)} > /etc/quantus-miner/miner-tls-cert-sha256`)
        succeed("systemctl", "enable", "--now", "quantus-miner")
        expect(root.show("ActiveState")).toBe("active")
        await eventually(() => root.show("StatusText").includes("H/s"))
        expect(exists("/var/lib/private/quantus-miner")).toBe(true)
      })

      test("an upgrade restarts the running service and keeps settings and state", async () => {
        const before = root.show("MainPID")
        succeed(...upgrade(packageOf(format, NEWER)))
        await eventually(() => root.show("ActiveState") === "active" && root.show("MainPID") !== before)
        expect(succeed("cat", settings)).toEndWith(SETTINGS.trim())
        expect(exists("/etc/quantus-miner/miner-auth-token")).toBe(true)
        expect(root.show("UnitFileState")).toBe("enabled")
      })

      test("a removal stops the service and leaves settings, credentials and state", () => {
        succeed(...remove)
        expect(root.show("ActiveState")).toBe("inactive")
        expect(root.show("LoadState")).not.toBe("loaded")
        expect(exists("/usr/bin/quantus-miner")).toBe(false)
        expect(succeed("cat", kept)).toEndWith(SETTINGS.trim())
        expect(exists("/etc/quantus-miner/miner-auth-token")).toBe(true)
        expect(exists("/var/lib/private/quantus-miner")).toBe(true)
        expect(root.run("find", "/etc/systemd/system", "-name", "quantus-miner.service").output).toBe("")
      })

      if (purge === undefined) return
      test("a purge leaves nothing", () => {
        succeed(...purge)
        for (const path of [settings, "/etc/quantus-miner", "/var/lib/private/quantus-miner", "/var/lib/quantus-miner"])
          expect(`${path} ${exists(path)}`).toBe(`${path} false`)
      })
    })
  }
})

const lintian = Bun.which("lintian")
test.skipIf(!lintian)(`lintian finds nothing${lintian ? "" : " (skipped: lintian is not installed)"}`, () => {
  for (const name of readdirSync(RELEASE).filter(name => name.endsWith(".deb"))) {
    const { exitCode, stdout, stderr } = Bun.spawnSync([lintian!, "--allow-root", join(RELEASE, name)])
    expect(`${exitCode} ${stdout}${stderr}`).toBe("0 ")
  }
})

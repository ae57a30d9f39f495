import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Answers, configText, credential } from "../../../src/commands/setup/answers.ts"
import { autostartFor } from "../../../src/commands/setup/autostart.ts"
import { readConfigFile } from "../../../src/config/config-file.ts"

const directory = mkdtempSync(join(tmpdir(), "quantus-miner-setup-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const MAIN = join(import.meta.dir, "../../../src/main.ts")
const PIN = "ab".repeat(32)

function setup(args: string[], env: Record<string, string> = {}): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, "setup", ...args], {
    env: { HOME: directory, PATH: process.env["PATH"]!, ...env },
    stdin: "ignore",
  })
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() }
}

describe("the configuration file", () => {
  const answers: Answers = { url: "quic://192.0.2.7:9833", cpuWorkers: 4, gpuDevices: "0,2" }

  test("holds the answers, whatever characters they contain", async () => {
    const text = configText({ ...answers, token: { value: 'a"b\\c' }, pin: { file: "/p q" }, metricsPort: 9900 })
    const { given, sources } = await readConfigFile("miner.toml", text, {})
    expect([...given].map(([name, { text }]) => [name, text])).toEqual([
      ["cpuWorkers", "4"],
      ["gpuDevices", "0,2"],
      ["metricsPort", "9900"],
    ])
    expect([...sources[0]!.given].map(([name, { text }]) => [name, text])).toEqual([
      ["url", "quic://192.0.2.7:9833"],
      ["authToken", 'a"b\\c'],
      ["tlsCertSha256File", "/p q"],
    ])
  })

  test("a token is taken for a path only if it looks like one", () => {
    expect(credential("/run/token")).toEqual({ file: "/run/token" })
    expect(credential("C:\\node\\token")).toEqual({ file: "C:\\node\\token" })
    expect(credential("./token")).toEqual({ file: "./token" })
    expect(credential("abcdef")).toEqual({ value: "abcdef" })
    expect(credential("miner-auth-token", path => path === "miner-auth-token")).toEqual({ file: "miner-auth-token" })
  })
})

describe("without a terminal", () => {
  test("flags answer the questions, and the file is for its owner only", () => {
    const output = join(directory, "new", "miner.toml")
    const { code, out, err } = setup([
      ...["--url", "stratum+tls://pool.example:3333", "--login", "qz.rig1", "--cpu-workers", "1"],
      ...["--metrics-port", "0", "--output", output],
    ])
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toContain(`wrote ${output}`)
    expect(readFileSync(output, "utf8")).toContain('login = "qz.rig1"')
    expect(readFileSync(output, "utf8")).not.toContain("metrics_port")
    expect(statSync(output).mode & 0o777).toBe(0o600)
  })

  test("a node on this machine answers for itself", () => {
    const chain = join(directory, ".local/share/quantus-node/chains/mainnet")
    mkdirSync(chain, { recursive: true })
    writeFileSync(join(chain, "miner-auth-token"), "token")
    writeFileSync(join(chain, "miner-tls-cert-sha256"), PIN)
    const output = join(directory, "node.toml")
    expect(setup(["--yes", "--output", output]).code).toBe(0)
    expect(readFileSync(output, "utf8")).toContain(`auth_token_file = "${chain}/miner-auth-token"`)
    rmSync(join(directory, ".local"), { recursive: true })
  })

  test("a flag that names a file always does", () => {
    const output = join(directory, "files.toml")
    const files = ["--auth-token-file", "miner-auth-token", "--tls-cert-sha256-file", "pin"]
    const { code, err } = setup(["--url", "quic://192.0.2.7:9833", ...files, "--output", output])
    expect(code).toBe(0)
    expect(err).toBe("")
    expect(readFileSync(output, "utf8")).toContain(`auth_token_file = "${join(process.cwd(), "miner-auth-token")}"`)
  })

  test("a URL in another spelling is a pool, a malformed one an error", () => {
    const output = join(directory, "spelling.toml")
    expect(setup(["--url", "SSL://pool.example:3333", "--login", "a.b", "--output", output]).code).toBe(0)
    const { code, err } = setup(["--url", "pool.example", "--login", "a.b", "--output", output, "--yes"])
    expect(code).toBe(64)
    expect(err).toContain("--url pool.example is not quic://HOST")
  })

  test("of several chains, mainnet is used; without credentials, serve waits for them", () => {
    const output = join(directory, "chains.toml")
    const base = join(directory, ".local/share/quantus-node")
    mkdirSync(base, { recursive: true })
    expect(setup(["--yes", "--output", output]).out).toContain(
      `${base}/chains/mainnet/miner-auth-token does not exist yet: serve waits`,
    )
    expect(readFileSync(output, "utf8")).not.toContain("token")
    for (const chain of ["dirac", "mainnet"]) {
      mkdirSync(join(base, "chains", chain), { recursive: true })
      writeFileSync(join(base, "chains", chain, "miner-auth-token"), "token", { mode: 0o600 })
      writeFileSync(join(base, "chains", chain, "miner-tls-cert-sha256"), PIN)
    }
    expect(setup(["--yes", "--output", output]).out).toContain("2 chains have credentials: using mainnet")
    expect(readFileSync(output, "utf8")).toContain(`auth_token_file = "${base}/chains/mainnet/miner-auth-token"`)
    rmSync(join(directory, ".local"), { recursive: true })
  })

  test("--measure measures the CPUs and stores the result", () => {
    const output = join(directory, "measured.toml")
    const args = ["--url", "stratum+tls://pool.example:3333", "--login", "a.b", "--cpu-workers", "1", "--measure"]
    const { code, out } = setup([...args, "--output", output])
    expect(code).toBe(0)
    expect(out).toMatch(/^\S+ makes [\d.]+ [kM]H\/s$/m)
    expect(existsSync(join(directory, ".local/state/quantus-miner"))).toBe(true)
  }, 60_000)

  test("an answer that is missing is named by its flag, and nothing is written", () => {
    const output = join(directory, "missing.toml")
    const { code, err } = setup(["--url", "quic://192.0.2.7:9833", "--output", output])
    expect(code).toBe(64)
    expect(err).toContain("setup needs --auth-token-file")
    expect(existsSync(output)).toBe(false)
  })

  test("a file that exists is replaced only if asked for, and kept if the new one has a mistake", () => {
    const output = join(directory, "kept.toml")
    writeFileSync(output, "cpu_workers = 1\n")
    const args = ["--url", "stratum+tls://pool.example:3333", "--login", "qz.rig1", "--output", output]
    expect(setup(args).err).toContain("was kept")
    const wrong = setup([...args, "--gpu-devices", "nonsense", "--yes"])
    expect(wrong.code).toBe(78)
    expect(wrong.err).toContain(`${output}:`)
    expect(readFileSync(output, "utf8")).toBe("cpu_workers = 1\n")
    expect(existsSync(`${output}.new`)).toBe(false)
    expect(setup([...args, "--yes"]).code).toBe(0)
    expect(readFileSync(output, "utf8")).toContain("stratum+tls")
  })

  test("removing what was never set up changes nothing", () => {
    expect(setup(["--remove"]).out).toContain("nothing to remove")
  })
})

describe("autostart", () => {
  const program = {
    executable: "/opt/a b/quantus-miner",
    config: "/home/me/100%/$x.toml",
    home: "/home/me",
    userConfig: "/home/me/.config",
  }

  test("on Linux is a unit of the user, with its words quoted", () => {
    const { file, text } = autostartFor("linux", program)!
    expect(file).toBe("/home/me/.config/systemd/user/quantus-miner.service")
    expect(text).toContain('ExecStart="/opt/a b/quantus-miner" "serve" "--config" "/home/me/100%%/$$x.toml"')
  })

  test.skipIf(!Bun.which("systemd-analyze"))("the unit is valid (skipped without systemd-analyze)", () => {
    const { text } = autostartFor("linux", { ...program, executable: "/bin/true" })!
    const unit = join(directory, "quantus-miner.service")
    writeFileSync(unit, text)
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "--user", "--man=no", "verify", unit], {
      env: { ...process.env, XDG_RUNTIME_DIR: directory },
    })
    expect(stderr.toString()).not.toContain(unit)
    expect(exitCode).toBe(0)
  })

  test("on macOS is a launch agent, on Windows a task, both well-formed XML with their text escaped", () => {
    const odd = { ...program, executable: "/Apps/a&b<c>/quantus-miner" }
    for (const platform of ["darwin", "win32"] as const) {
      const { text, enable, disable } = autostartFor(platform, odd)!
      expect(text).toContain("/Apps/a&#38;b&#60;c&#62;/quantus-miner")
      expect(text).not.toMatch(/&(?!#\d+;)/)
      expect([enable.length, disable.length]).toEqual([enable.length || 1, disable.length || 1])
    }
    expect(autostartFor("freebsd", program)).toBeUndefined()
  })
})

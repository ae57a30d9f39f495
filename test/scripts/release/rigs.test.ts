import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { RIG_PACKAGES, rigArchive, rigArchiveName } from "../../../scripts/release/rigs.ts"
import { readTar } from "../../../scripts/release/tar.ts"
import { flagsOf, OPTION_NAMES, variablesOf } from "../../../src/config/options.ts"
import { type FlightSheet, HiveAgent, MmposAgent } from "../../support/rig-agents.ts"

const ROOT = join(import.meta.dir, "../../..")
const PIN = "ab".repeat(32)

/** Records its variables and arguments, and runs until it is interrupted. */
const PROGRAM = `#!/usr/bin/env bash
env | grep ^MINER_ | sort > "$HOME/variables"
printf '%s\\n' "$@" > "$HOME/arguments"
trap 'exit 0' INT TERM
echo ready
while true; do sleep 0.01; done
`

test.each(["hiveos", "mmpos"])("docs/%s.md names the package and options that exist", page => {
  const text = readFileSync(join(ROOT, `docs/${page}.md`), "utf8")
  for (const { name } of RIG_PACKAGES.filter(({ system }) => system === page))
    expect(text).toContain(`\`${rigArchiveName(name, "VERSION")}\``)
  const launcher = ["--pool", "--user", "--api-port"]
  const known = [...OPTION_NAMES.flatMap(flagsOf).map(flag => `--${flag}`), ...launcher]
  const named = text.match(/--[a-z][a-z-]*/g)!
  expect(named.filter(flag => !known.includes(flag))).toEqual([])
})

const absent = ["bash", "curl", "jq", "tar", "xargs"].find(tool => !Bun.which(tool))

describe.skipIf(absent !== undefined)(`packages for rigs${absent ? ` (skipped: needs ${absent})` : ""}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "quantus-rigs-"))
  const executable = join(directory, "program")
  const input = (version: string) => ({ root: ROOT, version, time: 1_764_000_000, executable })
  const read = (name: string) => readFileSync(join(directory, name), "utf8")
  const recorded = () => ({
    variables: read("variables").trim().split("\n"),
    args: read("arguments").trim().split("\n"),
  })

  /** What `/hive-stats` and `/mmpos` answer; none if undefined. */
  let answer: unknown
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => (answer === undefined ? new Response("", { status: 500 }) : Response.json(answer)),
  })

  function archive(name: string, version: string): string {
    const path = join(directory, rigArchiveName(name, version))
    writeFileSync(path, rigArchive(RIG_PACKAGES.find(rig => rig.name === name)!, input(version)))
    return path
  }

  beforeAll(() => {
    writeFileSync(executable, PROGRAM)
    chmodSync(executable, 0o755)
  })
  afterAll(async () => {
    await server.stop(true)
    rmSync(directory, { recursive: true, force: true })
  })

  test.each(RIG_PACKAGES)("$name: one folder of the miner's name, the same bytes each time", rig => {
    const bytes = rigArchive(rig, input("1.2.3"))
    expect(Bun.hash(rigArchive(rig, input("1.2.3")))).toBe(Bun.hash(bytes))
    const entries = readTar(gunzipSync(bytes))
    expect(entries.map(({ path }) => path.split("/")[0])).toEqual(entries.map(() => rig.name))
    for (const { path, mode } of entries)
      expect([path, mode]).toEqual([path, /\.sh$|-miner$/.test(path) ? 0o755 : 0o644])
    const settings = entries.find(({ path }) => path.endsWith(".conf"))!
    expect(Buffer.from(settings.bytes).toString()).toContain("VERSION=1.2.3\n")
  })

  test("a name of a version with a hyphen still ends in the miner's name and the version", () => {
    expect(rigArchiveName("quantus-miner-hiveos", "1.2.3-rc.1")).toBe("quantus-miner-hiveos-1.2.3_rc.1.tar.gz")
  })

  describe("HiveOS", () => {
    const agent = new HiveAgent(directory, server.port!)
    let name = ""
    beforeAll(() => {
      name = agent.install(archive("quantus-miner-hiveos", "1.2.3"))
    })

    const settings = () => agent.path(name, "settings.conf")

    /** Runs the miner until it has recorded what it was given, then stops it as `miner stop` does. */
    async function run(sheet: FlightSheet): Promise<ReturnType<typeof recorded>> {
      const screen = agent.start(name, sheet)
      await screen.shows("ready")
      screen.pressControlC()
      await screen.exited
      expect(screen.text).not.toContain("cooldown")
      return recorded()
    }

    test.each(RIG_PACKAGES.filter(({ system }) => system === "hiveos"))(
      "$name: the manifest's name is the folder's, as a flight sheet has to give it",
      rig => {
        expect(agent.install(archive(rig.name, "1.2.3"))).toBe(rig.name)
        const manifest = readFileSync(agent.path(rig.name, "h-manifest.conf"), "utf8")
        expect(manifest).toContain(`CUSTOM_NAME=${rig.name}\n`)
        expect(manifest).toContain(`CUSTOM_CONFIG_FILENAME=${agent.path(rig.name, "settings.conf")}\n`)
      },
    )

    test.each([
      [
        "a pool by its address",
        { CUSTOM_URL: "pool.example:4433", CUSTOM_TEMPLATE: "qzABC.rig7", CUSTOM_PASS: "x" },
        ["MINER_LOGIN=qzABC.rig7", "MINER_PASSWORD=x", "MINER_URL=stratum+tcp://pool.example:4433"],
      ],
      [
        "two pools, the worker's name in the login",
        {
          CUSTOM_URL: "stratum+ssl://a.example:1\nb.example:2",
          CUSTOM_TEMPLATE: "qzABC.%WORKER_NAME%",
        },
        ["MINER_LOGIN=qzABC.rig7", "MINER_URL=stratum+ssl://a.example:1,stratum+tcp://b.example:2"],
      ],
      [
        "a node: token and pin",
        { CUSTOM_URL: "quic://192.0.2.7:9833", CUSTOM_TEMPLATE: "to$ken 'x'", CUSTOM_PASS: PIN },
        ["MINER_AUTH_TOKEN=to$ken 'x'", `MINER_TLS_CERT_SHA256=${PIN}`, "MINER_URL=quic://192.0.2.7:9833"],
      ],
      [
        "a QUIC pool with a placeholder for the password",
        { CUSTOM_URL: "quic://pool.example:9833", CUSTOM_TEMPLATE: "token", CUSTOM_PASS: "x" },
        ["MINER_AUTH_TOKEN=token", "MINER_URL=quic://pool.example:9833"],
      ],
    ])("flight sheet: %s", async (_, sheet, source) => {
      const { variables, args } = await run(sheet)
      expect(variables).toEqual(
        [
          ...source,
          `MINER_LOG_FILE=${directory}/var/log/miner/custom/custom.log`,
          `MINER_METRICS_PORT=${server.port}`,
          "MINER_NAME=rig7",
          "MINER_NO_STATUS_LINE=yes",
          `MINER_STATE_DIR=${directory}/var/lib/quantus-miner`,
        ].sort(),
      )
      const known = new Set<string>(OPTION_NAMES.flatMap(variablesOf))
      for (const variable of variables) expect(known).toContain(variable.split("=")[0]!)
      expect(args).toEqual(["serve"])
      expect(statSync(settings()).mode & 0o777).toBe(0o600)
    })

    const sheet = { CUSTOM_URL: "pool.example:1", CUSTOM_TEMPLATE: "login" }

    test("extra arguments are split at blanks and lines, with quotes, and not executed", async () => {
      const extra = `--gpu-devices 0,2\n--schedule "Mon-Fri 19:00-07:00" --label 'site=$(touch pwned)' --label host=%WORKER_NAME%`
      const { args } = await run({ ...sheet, CUSTOM_USER_CONFIG: extra })
      expect(args).toEqual([
        "serve",
        "--gpu-devices",
        "0,2",
        "--schedule",
        "Mon-Fri 19:00-07:00",
        "--label",
        "site=$(touch pwned)",
        "--label",
        "host=rig7",
      ])
      expect(existsSync(agent.path(name, "pwned"))).toBe(false)
    })

    test("a configuration that others could read becomes private", () => {
      writeFileSync(settings(), "")
      chmodSync(settings(), 0o644)
      agent.configure(name, sheet)
      expect(statSync(settings()).mode & 0o777).toBe(0o600)
    })

    test("stats while starting: the agent gets the object and no total", async () => {
      answer = { hs: [null, null], hs_units: "khs", temp: [null, null], fan: [null, null], uptime: 1, ar: [0, 0] }
      expect(await agent.stats(name)).toEqual({ khs: "", stats: answer as Record<string, unknown>, printed: "" })
    })

    test("stats while mining: the total of the known rates in kH/s", async () => {
      answer = { hs: [1250.5, null, 500], hs_units: "khs" }
      expect(await agent.stats(name)).toEqual({ khs: "1750.5", stats: answer as Record<string, unknown>, printed: "" })
    })

    test.each([
      ["an error", undefined],
      ["something else", "another program"],
    ])("stats while down: %s gives 0 and null", async (_, other) => {
      answer = other
      expect(await agent.stats(name)).toEqual({ khs: "0", stats: null, printed: "" })
    })

    test("stats while down: nobody listens", async () => {
      const alone = new HiveAgent(mkdtempSync(join(directory, "alone-")), 1)
      alone.install(archive("quantus-miner-hiveos", "1.2.3"))
      expect(await alone.stats(name)).toEqual({ khs: "0", stats: null, printed: "" })
    })

    test("an update replaces the folder", () => {
      agent.configure(name, sheet)
      expect(agent.install(archive("quantus-miner-hiveos", "1.2.4"))).toBe(name)
      expect(readFileSync(agent.path(name, "h-manifest.conf"), "utf8")).toContain("CUSTOM_VERSION=1.2.4\n")
      expect(existsSync(settings())).toBe(false)
      agent.configure(name, sheet)
      expect(statSync(settings()).mode & 0o777).toBe(0o600)
    })
  })

  describe("mmpOS", () => {
    const agent = new MmposAgent(directory)
    beforeAll(() => agent.install("https://example.invalid/a.tar.gz", archive("quantus-miner-mmpos", "1.2.3")))

    async function run(...args: string[]) {
      const miner = agent.start(["./mmp-launch.sh", ...args])
      await miner.line(/^ready$/)
      const cmdline = readFileSync(`/proc/${miner.pid}/cmdline`, "utf8")
      miner.kill("SIGTERM")
      expect(await miner.exited).toBe(0)
      return { ...recorded(), cmdline }
    }

    const credentials = (user: string, password: string) => ["--user", user, "--password", password]

    test("a profile for a pool", async () => {
      const pool = ["--pool", "stratum+ssl://pool.example:4433"]
      const { variables, args } = await run(...pool, ...credentials("qzABC.rig7", "x"), "--gpu-devices", "0,2")
      expect(variables).toEqual([
        "MINER_LOGIN=qzABC.rig7",
        "MINER_METRICS_PORT=9900",
        "MINER_NO_STATUS_LINE=yes",
        "MINER_PASSWORD=x",
        "MINER_URL=stratum+ssl://pool.example:4433",
      ])
      expect(args).toEqual(["serve", "--gpu-devices", "0,2"])
    })

    test.skipIf(process.platform !== "linux")("a profile for a node: no secret in the process list", async () => {
      const node = ["--pool", "quic://192.0.2.7:9833"]
      const { variables, cmdline } = await run(...node, ...credentials("to$ken 'x'", PIN), "--api-port", "4078")
      expect(variables).toEqual([
        "MINER_AUTH_TOKEN=to$ken 'x'",
        "MINER_METRICS_PORT=4078",
        "MINER_NO_STATUS_LINE=yes",
        `MINER_TLS_CERT_SHA256=${PIN}`,
        "MINER_URL=quic://192.0.2.7:9833",
      ])
      for (const secret of ["to$ken", PIN]) expect(cmdline).not.toContain(secret)
    })

    test("another URL installs another version, which starts and answers", async () => {
      const before = agent.path("mmp-external.conf")
      agent.install("https://example.invalid/b.tar.gz", archive("quantus-miner-mmpos", "1.2.4"))
      expect(agent.path("mmp-external.conf")).not.toBe(before)
      expect(readFileSync(agent.path("mmp-external.conf"), "utf8")).toContain("EXTERNAL_VERSION=1.2.4\n")
      expect((await run("--pool", "pool.example:1", "--user", "login")).args).toEqual(["serve"])
    })

    test("stats are the miner's object, at the profile's port", async () => {
      await run("--api-port", `${server.port}`)
      answer = { busid: ["cpu"], hash: [null], units: "hs", air: ["0", "0", "0"] }
      expect(JSON.parse(await agent.stats())).toEqual(answer)
      answer = undefined
      expect(await agent.stats()).toBe("Miner API connection failed")
    })
  })
})

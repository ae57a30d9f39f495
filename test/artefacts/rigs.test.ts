/** The packages for HiveOS and mmpOS, installed, run and stopped by stand-ins for the systems' agents. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import packageJson from "../../package.json" with { type: "json" }
import { RIG_PACKAGES, rigArchive, rigArchiveName } from "../../scripts/release/rigs.ts"
import { systemClock as clock } from "../../src/clock.ts"
import { PIN_FILE, TOKEN_FILE } from "../../src/devnode/identity.ts"
import { type DevNode, startNode } from "../../src/devnode/node.ts"
import { type DevPool, startPool } from "../../src/devnode/pool.ts"
import { freeTcpPort } from "../support/free-port.ts"
import { HiveAgent, type HiveStats, MmposAgent } from "../support/rig-agents.ts"
import { ARTEFACTS, RELEASE, unpack } from "./artefacts.ts"

const ROOT = join(import.meta.dir, "../..")
const NEWER = "999.0.0"
const FEW = "--cpu-workers 1 --gpu-devices 0"
/** Seconds until a rate is known. */
const RATE_SECONDS = 10
/** This machine may be busy. */
const PATIENCE_MS = 300_000

const absent = ["bash", "curl", "jq", "tar", "xargs"].find(tool => !Bun.which(tool))

describe.skipIf(absent !== undefined)(`rigs${absent ? ` (skipped: needs ${absent})` : ""}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "quantus-rigs-"))
  const quick = { address: "127.0.0.1", port: 0, difficulty: 100_000n, intervalMs: 12_000, clock, onEvent: () => {} }
  let pool: DevPool
  let node: DevNode

  beforeAll(async () => {
    pool = await startPool(quick)
    node = await startNode({ ...quick, dir: join(directory, "node") })
  })
  afterAll(async () => {
    await pool.close()
    await node.close()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Asks again and again, until the answer satisfies `last`. @returns all answers */
  async function poll<T>(ask: () => Promise<T>, last: (answer: T) => boolean): Promise<T[]> {
    const answers: T[] = []
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await Bun.sleep(200)) {
      answers.push(await ask())
      if (last(answers.at(-1)!)) return answers
    }
    throw new Error(`the last answer was ${JSON.stringify(answers.at(-1))}`)
  }

  const hive = (name: string) => RIG_PACKAGES.find(rig => rig.name === name)!

  describe("HiveOS", () => {
    const agent = new HiveAgent(directory, freeTcpPort())
    const log = join(directory, "var/log/miner/custom/custom.log")
    const state = join(directory, "var/lib/quantus-miner")
    const { name } = hive("quantus-miner-hiveos")

    test("the package is in the release, and its name is the miner's", () => {
      expect(agent.install(join(RELEASE, rigArchiveName(name, packageJson.version)))).toBe(name)
      const mode = (file: string) => statSync(agent.path(name, file)).mode & 0o777
      for (const file of ["h-config.sh", "h-run.sh", "h-stats.sh", "quantus-miner"])
        expect([file, mode(file)]).toEqual([file, 0o755])
    })

    test("a pool's flight sheet: stats while it starts, while it mines, and when it is down", async () => {
      const sheet = {
        CUSTOM_URL: `127.0.0.1:${pool.port}`,
        CUSTOM_TEMPLATE: "qzABC.%WORKER_NAME%",
        CUSTOM_PASS: "x",
        CUSTOM_USER_CONFIG: FEW,
      }
      const down: HiveStats = { khs: "0", stats: null, printed: "" }
      expect(await agent.stats(name)).toEqual(down)
      const screen = agent.start(name, sheet)
      try {
        const all = await poll(
          () => agent.stats(name),
          ({ khs, stats }) => Number(khs) > 0 && acceptedOf(stats) > 0,
        )
        expect(new Set(all.map(({ printed }) => printed))).toEqual(new Set([""]))
        const answered = all.filter(({ stats }) => stats !== null)
        for (const { khs, stats } of answered) {
          const { hs, uptime } = stats as { hs: unknown[]; uptime: number }
          expect(hs).toHaveLength(1)
          expect([khs, hs[0] === null || (hs[0] as number) > 0]).toEqual([hs[0] === null ? "" : `${hs[0]}`, true])
          if (uptime < RATE_SECONDS - 1) expect(khs).toBe("")
        }
        expect(answered.at(-1)!.stats).toEqual({
          hs: [expect.any(Number)],
          hs_units: "khs",
          temp: [null],
          fan: [null],
          uptime: expect.any(Number),
          ver: packageJson.version,
          name: "rig7",
          ar: [expect.any(Number), expect.any(Number)],
          algo: "quantus",
          bus_numbers: [null],
        })
        expect(statSync(agent.path(name, "settings.conf")).mode & 0o777).toBe(0o600)
        // The first start measures while it mines.
        await poll(async () => existsSync(state), Boolean)
        expect(readFileSync(log, "utf8")).toContain(`stratum+tcp://127.0.0.1:${pool.port}`)
      } finally {
        screen.pressControlC()
        await screen.exited
      }
      await screen.shows("stopped after")
      expect(screen.text).not.toContain("cooldown")
      expect(await agent.stats(name)).toEqual(down)
    })

    test("an update keeps the measurements; a node's flight sheet mines with it", async () => {
      const measurements = readdirSync(state)
      expect(measurements).not.toEqual([])
      const archive = join(directory, rigArchiveName(name, NEWER))
      const newer = { root: ROOT, version: NEWER, time: 0, executable: unpack("linux-x64") }
      writeFileSync(archive, rigArchive(hive(name), newer))
      expect(agent.install(archive)).toBe(name)
      expect(existsSync(agent.path(name, "settings.conf"))).toBe(false)
      expect(readdirSync(state)).toEqual(measurements)
      const read = (file: string) => readFileSync(join(directory, "node", file), "utf8").trim()
      const secrets = { CUSTOM_TEMPLATE: read(TOKEN_FILE), CUSTOM_PASS: read(PIN_FILE) }
      const screen = agent.start(name, {
        CUSTOM_URL: `quic://127.0.0.1:${node.port}`,
        ...secrets,
        CUSTOM_USER_CONFIG: FEW,
      })
      try {
        await poll(
          () => agent.stats(name),
          ({ stats }) => acceptedOf(stats) > 0,
        )
        for (const secret of Object.values(secrets))
          expect(screen.text + readFileSync(log, "utf8")).not.toContain(secret)
      } finally {
        await screen.quit()
      }
      await poll(
        () => agent.stats(name),
        ({ stats }) => stats === null,
      )
    })
  })

  const emulated = ARTEFACTS.find(artefact => artefact.name === "linux-arm64")!
  const lacks = emulated.missing ? ` (skipped: needs ${emulated.missing})` : ""

  test.skipIf(lacks !== "")(`HiveOS on an emulated arm64 CPU: a pool's flight sheet${lacks}`, async () => {
    const agent = new HiveAgent(mkdtempSync(join(directory, "arm64-")), freeTcpPort())
    const name = agent.install(join(RELEASE, rigArchiveName("quantus-miner-hiveos-arm64", packageJson.version)))
    // What the kernel does on a machine of another architecture that has an emulator registered.
    const program = agent.path(name, "quantus-miner")
    renameSync(program, `${program}.arm64`)
    const emulator = emulated.command().slice(0, -1).join(" ")
    writeFileSync(program, `#!/bin/sh\nexec ${emulator} "$0.arm64" "$@"\n`, { mode: 0o755 })
    const screen = agent.start(name, {
      CUSTOM_URL: `127.0.0.1:${pool.port}`,
      CUSTOM_TEMPLATE: "qzABC.%WORKER_NAME%",
      CUSTOM_USER_CONFIG: `${FEW} --engine arm64`,
    })
    try {
      await poll(
        () => agent.stats(name),
        ({ khs, stats }) => Number(khs) > 0 && acceptedOf(stats) > 0,
      )
    } finally {
      await screen.quit()
    }
  })

  test("mmpOS: a pool's profile, stats while it starts, while it mines, and when it is down", async () => {
    const agent = new MmposAgent(directory)
    agent.install(
      "https://example.invalid/a.tar.gz",
      join(RELEASE, rigArchiveName("quantus-miner-mmpos", packageJson.version)),
    )
    const down = "Miner API connection failed"
    const pooled = ["--pool", `stratum+tcp://127.0.0.1:${pool.port}`, "--user", "qzABC.rig7", "--password", "x"]
    const miner = agent.start(["./mmp-launch.sh", ...pooled, "--api-port", `${freeTcpPort()}`, ...FEW.split(" ")])
    try {
      const isMining = (text: string) =>
        text !== down && JSON.parse(text).hash[0] > 0 && JSON.parse(text).air[0] !== "0"
      const all = (await poll(() => agent.stats(), isMining)).filter(text => text !== down)
      const answered = all.map(text => JSON.parse(text) as Record<"hash", (number | null)[]>)
      expect(answered.filter(({ hash }) => hash[0] === 0)).toEqual([])
      expect<unknown>(answered.at(-1)).toEqual({
        busid: ["cpu"],
        hash: [expect.any(Number)],
        units: "hs",
        air: [expect.stringMatching(/^\d+$/), "0", expect.stringMatching(/^\d+$/)],
        miner_name: "quantus-miner",
        miner_version: packageJson.version,
      })
    } finally {
      miner.kill("SIGTERM")
    }
    expect(await miner.exited).toBe(0)
    expect(await agent.stats()).toBe(down)
  })
})

/** Accepted results; 0 while the miner is down. */
function acceptedOf(stats: HiveStats["stats"]): number {
  return stats === null ? 0 : (stats["ar"] as number[])[0]!
}

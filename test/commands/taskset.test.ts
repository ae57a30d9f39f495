/** The built executable under taskset: it mines on the allowed CPUs, and follows a change. */
import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { cpus } from "node:os"
import { threadAffinity } from "../../src/host/linux/affinity.ts"
import { MinerProcess } from "../support/miner-process.ts"

const taskset = process.platform === "linux" ? Bun.which("taskset") : null
if (taskset === null) console.log("Skipped: taskset is not installed, so the executable is not run under it")

const allowed = threadAffinity() ?? []
const [first = 0, last = 0] = [allowed[0], allowed.at(-1)]

const NODE = ["--node-addr", "127.0.0.1:1", "--auth-token", "token", "--tls-cert-sha256", "00".repeat(32)]
const SERVE = ["serve", ...NODE, "--gpu-devices", "0", "--engine", "wasm", "--verbose"]

/** Number of threads of a process by CPU, for threads restricted to a single CPU. */
function affinities(pid: number): Map<number, number> {
  const counts = new Map<number, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = statusOf(`/proc/${pid}/task/${thread}/status`)
    const [, cpu] = /^Cpus_allowed_list:\s*(\d+)$/m.exec(status) ?? []
    if (cpu !== undefined) counts.set(Number(cpu), (counts.get(Number(cpu)) ?? 0) + 1)
  }
  return counts
}

/** The text of a thread's status file; empty if the thread has ended since it was listed. */
function statusOf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

describe.skipIf(taskset === null)("under taskset", () => {
  test("sees one CPU and mines on it", async () => {
    const miner = new MinerProcess([...SERVE, "--cpu-workers", "9"], { prefix: [taskset!, "-c", `${last}`] })
    await miner.line(/next attempt in/)
    expect(await miner.stop()).toBe(0)
    expect(miner.text).toMatch(
      /detected cpuset mask: [\d,-]+\n|no cpuset mask detected; using full logical CPU count\n/,
    )
    expect(miner.text).toContain(`1 effective CPU of ${cpus().length}`)
    expect(miner.text).toContain("9 CPU workers are more than the effective CPUs, 1: running 1")
  }, 60_000)

  test.skipIf(first === last)(
    "follows it to another CPU",
    async () => {
      const miner = new MinerProcess([...SERVE, "--cpu-workers", "2"], {
        prefix: [taskset!, "-c", `${first},${last}`],
        env: { INVOCATION_ID: "1" },
      })
      await miner.line(/next attempt in/)
      while (affinities(miner.pid).size < 2) await Bun.sleep(5)
      expect([...affinities(miner.pid).keys()].sort()).toEqual([first, last].sort())
      const moved = Bun.spawnSync([taskset!, "-p", "-c", `${last}`, `${miner.pid}`])
      expect(moved.exitCode).toBe(0)
      const from = miner.lines.length
      miner.kill("SIGHUP")
      await miner.line(/effective CPUs changed from 2: 1 effective CPU/, from)
      await miner.line(/2 CPU workers are more than the effective CPUs, 1: running 1/, from)
      while (affinities(miner.pid).has(first)) await Bun.sleep(5)
      expect(affinities(miner.pid).get(last)).toBeGreaterThanOrEqual(2)
      expect(await miner.stop()).toBe(0)
    },
    60_000,
  )

  test.skipIf(allowed.length < 2 || allowed.length < cpus().length)(
    "default miners on a whole machine are not bound to CPUs, so that two of them use different cores",
    async () => {
      const miner = new MinerProcess(SERVE)
      await miner.line(/next attempt in/)
      expect(affinities(miner.pid).size).toBe(0)
      expect(miner.text).toMatch(/workers are not bound to CPUs: \d+ of \d+ CPUs mine/)
      expect(await miner.stop()).toBe(0)
    },
    60_000,
  )
})

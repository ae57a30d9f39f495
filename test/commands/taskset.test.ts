/** The built executable under taskset: it mines on the CPUs that it was left. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { threadAffinity } from "../../src/host/affinity.ts"

const taskset = process.platform === "linux" ? Bun.which("taskset") : null
if (taskset === null) console.log("Skipped: there is no taskset, so the executable is not run under it")

describe.skipIf(taskset === null)("under taskset", () => {
  let directory = ""
  let executable = ""

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "quantus-miner-taskset-"))
    executable = join(directory, "quantus-miner")
    const root = join(import.meta.dir, "../..")
    const build = Bun.spawnSync([process.execPath, "scripts/build.ts", "--outfile", executable], { cwd: root })
    if (!build.success) throw new Error(build.stderr.toString())
  }, 60_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test("sees one CPU and mines on it", async () => {
    const cpu = threadAffinity()!.at(-1)!
    const node = ["--node-addr", "127.0.0.1:1", "--auth-token", "token", "--tls-cert-sha256", "00".repeat(32)]
    const serve = [executable, "serve", ...node, "--gpu-devices", "0", "--cpu-workers", "9", "--verbose"]
    const miner = Bun.spawn([taskset!, "-c", `${cpu}`, ...serve], {
      env: { HOME: directory },
      stdio: ["ignore", "pipe", "pipe"],
    })
    let said = ""
    let interrupted = false
    const reading = [miner.stdout, miner.stderr].map(async stream => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        said += text
        if (interrupted || !said.includes("running 1")) continue
        interrupted = true
        miner.kill("SIGINT")
      }
    })
    await Promise.all(reading)

    expect(said).toMatch(/Detected cpuset mask: [\d,-]+\n|No cpuset mask detected; using full logical CPU count\n/)
    expect(said).toContain(`1 effective CPU of ${cpus().length}`)
    expect(said).toContain("9 CPU workers are more than the effective CPUs, 1: running 1")
    expect(await miner.exited).toBe(0)
  })
})

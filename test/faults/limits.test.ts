/** The built executable under limits on its processes and threads. */
import { expect, test } from "bun:test"
import { availableParallelism } from "node:os"
import { builtExecutable } from "../support/executable.ts"
import { figure } from "./figures.ts"

const NOBODY = 65534
/** Fewer than the runtime needs, up to as many as the runtime and a worker need. */
const LIMITS = Array.from({ length: 16 }, (_, i) => i + 4)
const isRoot = process.getuid?.() === 0
const refusal =
  process.platform !== "linux"
    ? "prlimit is Linux's"
    : isRoot
      ? undefined
      : "another user needs root to be limited alone"

test.skipIf(refusal !== undefined)(
  `a worker that cannot be spawned ends the miner with 75${refusal ? ` (skipped: ${refusal})` : ""}`,
  () => {
    const command = [
      builtExecutable(),
      "benchmark",
      "--duration=1",
      "--engine=avx2",
      "--cpu-workers=2",
      "--gpu-devices=0",
    ]
    const runAt = (limit: number) => {
      const limited = ["prlimit", `--nproc=${limit}`, ...command]
      const user = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", ...limited]
      const { exitCode, stderr } = Bun.spawnSync(user, {
        env: { HOME: "/nonexistent" },
        stderr: "pipe",
        stdout: "ignore",
      })
      return { limit, exitCode, stderr: stderr.toString() }
    }
    const outcomes = LIMITS.map(runAt)
    // Whether the runtime or the worker meets the limit depends on when the runtime starts its own threads.
    for (let again = 0; again < 10 && !outcomes.some(({ exitCode }) => exitCode === 75); again++) {
      outcomes.push(...LIMITS.slice(2, 8).map(runAt))
    }
    figure("benchmark by limit of threads", outcomes.map(({ limit, exitCode }) => `${limit}: ${exitCode}`).join(", "))
    const refused = outcomes.filter(({ exitCode }) => exitCode === 75)
    expect(refused.length).toBeGreaterThan(0)
    for (const { stderr } of refused) expect(stderr).toContain("Failed to spawn worker thread: a limit on processes")
    expect(runAt(64 + 4 * availableParallelism()).exitCode).toBe(0)
    // Below a handful of threads the runtime itself aborts, which the unit restarts as well.
    for (const { exitCode } of outcomes) expect([0, 75, 134, null]).toContain(exitCode)
  },
)

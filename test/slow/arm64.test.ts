/**
 * Every arm64 kernel against the specification: natively on arm64, elsewhere under qemu-user, in the root that
 * `scripts/arm64-root.sh` builds.
 */
import { expect, test } from "bun:test"
import { RECIPES } from "../../src/kernel/arm64/targets.ts"

const hasQemu = Bun.which("qemu-aarch64-static") !== null || Bun.which("qemu-aarch64") !== null
const why = process.arch === "arm64" || hasQemu ? undefined : "skipped: needs qemu-user-static"

function bun(): string {
  if (process.arch === "arm64") return process.execPath
  const run = Bun.spawnSync(["scripts/arm64-root.sh"], { stderr: "inherit" })
  expect(run.exitCode).toBe(0)
  return `${run.stdout.toString().trim()}/bun`
}

test.skipIf(why !== undefined).each(Object.keys(RECIPES))(`kernel %s on arm64${why ? ` (${why})` : ""}`, name => {
  const run = Bun.spawnSync(
    [bun(), "test", "--path-ignore-patterns=", "--timeout", "500000", "./test/slow/arm64-guest.ts"],
    { env: { ...process.env, KERNEL: name }, stdout: "pipe", stderr: "pipe" },
  )
  const said = run.stderr.toString()
  expect(run.exitCode, said.slice(-2000)).toBe(0)
  expect(said).toMatch(/ 4 pass\n/)
})

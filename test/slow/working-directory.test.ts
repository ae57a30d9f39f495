/** The built executable opens no file of its working directory but those that it is given. */
import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { builtExecutable } from "../support/executable.ts"

const strace = Bun.which("strace")
const directory = mkdtempSync(join(tmpdir(), "quantus-miner-cwd-"))
const trace = join(directory, "trace")
const cwd = join(directory, "working")

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.skipIf(strace === null)(
  `while it mines${strace === null ? " (skipped: needs strace)" : ""}`,
  () => {
    mkdirSync(cwd)
    const demo = ["demo", "--difficulty=2000", "--seals=1", "--cpu-workers=1", "--engine=wasm", "--gpu-devices=0"]
    const traced = [strace!, "-f", "-qq", "-e", "trace=%file", "-o", trace, builtExecutable(), ...demo]
    const { exitCode, stderr } = Bun.spawnSync(traced, { cwd, env: { HOME: "/dev/null" } })
    expect(`${exitCode} ${stderr}`).toMatch(/^0 [\s\S]*1 seals accepted/)
    const calls = readFileSync(trace, "utf8").split("\n")
    const isHere = (call: string) =>
      (call.includes(`"${cwd}`) && !call.includes("getcwd(")) ||
      /\b(?:open|stat|access|readlink)\w*\([^"]*"[^/"]/.test(call)
    expect(calls.length).toBeGreaterThan(20)
    expect(calls.filter(isHere)).toEqual([])
  },
  120_000,
)

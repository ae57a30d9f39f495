/** How the built executable exits: signals during the start, and errors in JSON if JSON was requested. */
import { beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ExitCode, OperatorError } from "../../src/errors.ts"
import { failureLines } from "../../src/failure.ts"
import { builtExecutable } from "../support/executable.ts"
import { MinerProcess } from "../support/miner-process.ts"

beforeAll(() => void builtExecutable(), 60_000)

const run = (...args: string[]) => {
  const { stdout, stderr, exitCode } = Bun.spawnSync([builtExecutable(), ...args], { env: { HOME: "/dev/null" } })
  return { out: stdout.toString(), err: stderr.toString(), exitCode }
}

describe("--json prints one JSON object on standard output", () => {
  test("devices, with or without a GPU", () => {
    const { out, exitCode } = run("devices", "--json")
    expect(exitCode).toBe(0)
    expect(JSON.parse(out)).toEqual({ devices: expect.any(Array), missing: expect.any(Array) })
  })

  test.each([
    [["devices", "--json", "--gpu-devices", "none at all"], 64],
    [["benchmark", "--json", "--engine", "abacus"], 64],
    [["benchmark", "--json", "--config", "/does/not/exist"], 78],
  ] as const)("%j fails", (args, code) => {
    const { out, err, exitCode } = run(...args)
    expect(exitCode).toBe(code)
    expect(JSON.parse(out)).toEqual({ error: expect.any(String), exit_code: code })
    expect(err).toStartWith("quantus-miner: ")
  })
})

describe("fatal lines", () => {
  test("are JSON with --log-format json, even if option parsing fails", () => {
    const { err } = run("serve", "--log-format", "json", "--cpu-workers", "many")
    const { time, ...line } = JSON.parse(err)
    expect(line).toEqual({ level: "error", tag: "", message: expect.stringContaining("--cpu-workers") })
    expect(Date.parse(time)).toBeGreaterThan(0)
    const bug = failureLines(new TypeError("a bug"), [], { MINER_LOG_FORMAT: "json" })
    expect(bug.exitCode).toBe(ExitCode.failure)
    expect(JSON.parse(bug.err).message).toContain("TypeError: a bug")
  })

  test("have the opened log's format, and a line in its file", () => {
    const error = new OperatorError("no engine is left", ExitCode.lost)
    const pretty = failureLines(error, [], {}, { format: "pretty" })
    expect(pretty.record).toMatch(/^\d{4}-\S+Z \[error\] no engine is left$/)
    const json = failureLines(error, [], {}, { format: "json" })
    expect(JSON.parse(json.record).message).toBe("no engine is left")
    expect(json.err).toBe(json.record)
  })

  test("reach the log file of the executable", () => {
    const path = join(mkdtempSync(join(tmpdir(), "quantus-log-")), "miner.log")
    const { exitCode } = run("node", "--host", "127.0.0.1", "--port", "0", "--dir", "/dev/null/x", "--log-file", path)
    expect(exitCode).not.toBe(0)
    expect(readFileSync(path, "utf8")).toContain("/dev/null/x")
  })

  test("contain no control characters", () => {
    const { err } = failureLines(new OperatorError("a\u001B[2Jb\u202Ec", ExitCode.usage), [], {})
    expect(err).toBe("quantus-miner: a\\u001b[2Jb\\u202ec")
  })
})

describe("signals", () => {
  const dir = mkdtempSync(join(tmpdir(), "quantus-signals-"))
  const node = ["node", "--port", "0", "--dir", dir]

  test("two within a second are one request", async () => {
    const miner = new MinerProcess(node)
    await miner.line(/127\.0\.0\.1:\d+/)
    miner.kill("SIGTERM")
    miner.kill("SIGINT")
    expect(await miner.exited).toBe(0)
    rmSync(dir, { recursive: true, force: true })
  }, 30_000)

  test("to pause and resume do not end a long-running command while modules load", async () => {
    const early = `${import.meta.dir}/../../src/early-signals.ts`
    const code = `
      process.argv.splice(1, Infinity, "main.ts", "serve")
      await import(${JSON.stringify(early)})
      for (const signal of ["SIGUSR1", "SIGUSR2"]) process.kill(process.pid, signal)
      await Bun.sleep(50)
      console.log("continues")`
    const { stdout } = Bun.spawnSync([process.execPath, "-e", code])
    expect(stdout.toString()).toBe("continues\n")
  })
})

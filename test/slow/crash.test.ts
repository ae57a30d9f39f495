/** A crash of the built executable starts no program and opens no connection: crash reports are not uploaded. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { builtExecutable } from "../support/executable.ts"

const strace = Bun.which("strace")
const skipped = strace === null ? " (skipped: needs strace)" : ""
const directory = mkdtempSync(join(tmpdir(), "quantus-miner-crash-"))
const trace = join(directory, "trace")
const called = join(directory, "called")

beforeAll(() => {
  for (const name of ["curl", "powershell", "wget"]) {
    writeFileSync(join(directory, name), `#!/bin/sh\necho "${name} $*" >> ${called}\n`)
    chmodSync(join(directory, name), 0o755)
  }
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.skipIf(strace === null).each([{}, { BUN_ENABLE_CRASH_REPORTING: "1" }])(
  `a crash uploads nothing, with the variables %o${skipped}`,
  async variables => {
    rmSync(called, { force: true })
    const command = [builtExecutable(), "node", "--port", "0", "--dir", join(directory, "node")]
    const child = Bun.spawn([strace!, "-f", "-qq", "-e", "trace=%process,connect", "-o", trace, ...command], {
      env: { HOME: directory, ...variables, PATH: `${directory}${delimiter}${process.env["PATH"]}` },
      stderr: "pipe",
      stdout: "ignore",
    })
    let log = ""
    for await (const chunk of child.stderr) {
      log += new TextDecoder().decode(chunk)
      // The traced process is the first that the trace names.
      if (log.includes("istening on") && !log.includes("bun.report"))
        process.kill(Number(readFileSync(trace, "utf8").split(" ", 1)[0]), "SIGSEGV")
    }
    await child.exited
    expect(log).toContain("bun.report")
    const calls = readFileSync(trace, "utf8").split("\n")
    expect(calls.filter(call => /\bexecve\(/.test(call))).toHaveLength(1)
    expect(calls.filter(call => /\b(?:v?fork)\(|\bconnect\(.*AF_INET/.test(call))).toEqual([])
    expect(existsSync(called)).toBe(false)
  },
  30_000,
)

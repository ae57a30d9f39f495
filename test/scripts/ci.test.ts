/** `.ci/run` itself, with stand-ins for the programs that it calls. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const SCRIPT = join(import.meta.dir, "../../.ci/run")
/** The real programs of the script; everything else is a stand-in or absent. */
const TOOLS = ["bash", "env", "awk", "sed", "grep", "tee", "mktemp", "rm", "dirname", "cat"]

/** What a command prints and how it ends. */
interface Act {
  readonly prints?: string
  readonly code?: number
}

interface Machine {
  readonly root?: boolean
  /** Installed beside npm and git. */
  readonly has?: readonly string[]
  /** By the command line: `npm run lint`. Others print nothing and succeed. */
  readonly acts?: Readonly<Record<string, Act>>
  readonly env?: Readonly<Record<string, string>>
}

let checkout: string

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "quantus-ci-"))
  for (const folder of [".ci", "scripts", "bin", "acts"]) mkdirSync(join(checkout, folder))
  copyFileSync(SCRIPT, join(checkout, ".ci/run"))
})

afterEach(() => rmSync(checkout, { recursive: true, force: true }))

function program(path: string, text: string): void {
  writeFileSync(join(checkout, path), `#!${join(checkout, "bin/bash")}\n${text}\n`)
  chmodSync(join(checkout, path), 0o755)
}

const nameOf = (command: string): string => command.replace(/[^\w.-]/g, "_")

/** Runs the script. @returns its end, its output, and the commands that it called */
function runCi({ root = true, has = ["apt-get", "cargo", "cc", "go", "python3"], acts = {}, env = {} }: Machine) {
  const bin = join(checkout, "bin")
  for (const tool of TOOLS) symlinkSync(Bun.which(tool)!, join(bin, tool))
  // Notes its command line and does what the test prepared for it.
  const stub = `
    name="\${0##*/} $*" name=\${name% }
    echo "$name" >> "${checkout}/called"
    act=${checkout}/acts/\${name//[^A-Za-z0-9_.-]/_}
    [ ! -f "$act" ] || cat "$act"
    [ ! -f "$act.code" ] || exit "$(cat "$act.code")"`
  for (const name of [...has, "npm", "git"]) program(`bin/${name}`, stub)
  for (const name of ["orchestration-tools.sh", "lint-workflows.sh", "newer-go.sh"]) program(`scripts/${name}`, stub)
  copyFileSync(join(import.meta.dir, "../../scripts/retry.sh"), join(checkout, "scripts/retry.sh"))
  program("bin/id", `echo ${root ? 0 : 1000}`)
  for (const [command, { prints = "", code = 0 }] of Object.entries(acts)) {
    writeFileSync(join(checkout, "acts", nameOf(command)), prints)
    writeFileSync(join(checkout, "acts", `${nameOf(command)}.code`), `${code}`)
  }
  const { exitCode, stdout } = Bun.spawnSync([join(bin, "bash"), join(checkout, ".ci/run")], {
    env: { PATH: bin, ...env },
  })
  const lines = stdout.toString().trimEnd().split("\n")
  return { exitCode, lines, last: lines.at(-1), called: readFileSync(join(checkout, "called"), "utf8").split("\n") }
}

const summary = (pass: number, skip: number, fail: number): string => `\n ${pass} pass\n ${skip} skip\n ${fail} fail\n`

const GREEN: Readonly<Record<string, Act>> = {
  "npm test": { prints: `(pass) one [1.00ms]\n${summary(40, 0, 0)}` },
  "npm run test:slow": { prints: summary(2, 0, 0) },
}

test("a run without failures ends with 0 and the sum of all tests", () => {
  const { exitCode, last, called } = runCi({ acts: GREEN })
  expect({ exitCode, last }).toEqual({ exitCode: 0, last: "42 passed, 0 failed, 0 skipped" })
  const steps = [
    "npm ci",
    "npm test",
    "npm run lint",
    "npm run test:slow",
    "npm run test:faults",
    "npm run test:artefacts",
  ]
  expect(called).toEqual(expect.arrayContaining(steps))
})

describe("a step that fails", () => {
  test("in its tests gives 1, their number, and what they printed", () => {
    const prints = `before\n(pass) good [2.00ms]\nexpected 1, received 2\n(fail) bad [3.00ms]\n${summary(1, 0, 1)}`
    const { exitCode, lines, last, called } = runCi({ acts: { ...GREEN, "npm run test:faults": { prints, code: 1 } } })
    expect({ exitCode, last }).toEqual({ exitCode: 1, last: "43 passed, 1 failed, 0 skipped" })
    const end = lines.slice(lines.indexOf("failures:"))
    expect(end.slice(0, 4)).toEqual(["failures:", "  expected 1, received 2", "  (fail) bad [3.00ms]", ""])
    expect(end).toContain("failed: faults")
    // Later steps run all the same.
    expect(called).toContain("npm run test:interop")
  })

  test("without tests counts as one failure", () => {
    const { exitCode, lines, last } = runCi({
      acts: { ...GREEN, "npm run lint": { prints: "no semicolon\n", code: 2 } },
    })
    expect({ exitCode, last }).toEqual({ exitCode: 1, last: "42 passed, 1 failed, 0 skipped" })
    expect(lines).toContain("failed: lint")
  })
})

describe("a skipped test", () => {
  const withSkip = (reason: string): Readonly<Record<string, Act>> => ({
    ...GREEN,
    "npm run test:slow": { prints: `(skip) a test (skipped: ${reason}) [0.01ms]\n${summary(2, 1, 0)}` },
  })
  const strict = { CI_STRICT: "1" }

  test("is listed with its reason, and fails a strict run only", () => {
    const { exitCode, lines, last } = runCi({ acts: withSkip("needs strace") })
    expect({ exitCode, last }).toEqual({ exitCode: 0, last: "42 passed, 0 failed, 1 skipped" })
    expect(lines).toContain("  (skip) a test (skipped: needs strace)")
  })

  test("fails a strict run", () => {
    const { exitCode, lines, last } = runCi({ acts: withSkip("needs strace"), env: strict })
    expect({ exitCode, last }).toEqual({ exitCode: 1, last: "42 passed, 1 failed, 1 skipped" })
    expect(lines).toContain("failed: skips")
  })

  test.each(["this machine is not arm64", "this CPU has no AVX512F, AVX512DQ", "root may write everywhere"])(
    "because %s is expected",
    reason => {
      const { exitCode, last } = runCi({ acts: withSkip(reason), env: strict })
      expect({ exitCode, last }).toEqual({ exitCode: 0, last: "42 passed, 0 failed, 1 skipped" })
    },
  )

  test.each(["needs qemu-aarch64", "the arm64 image: needs qemu-user-static", "Windows: needs debootstrap"])(
    "because it %s can be helped",
    reason => {
      expect(runCi({ acts: withSkip(reason), env: strict }).exitCode).toBe(1)
    },
  )
})

describe("what is missing", () => {
  const installed = (machine: Machine) =>
    runCi({ acts: GREEN, ...machine }).called.find(command => command.startsWith("apt-get install"))

  test("is installed by root", () => {
    const { exitCode, called } = runCi({ acts: GREEN, has: ["apt-get"], env: {} })
    const install = called.find(command => command.startsWith("apt-get install"))
    for (const name of ["strace", "cargo", "gcc", "golang", "python3", "python3-pip"])
      expect(install?.split(" ")).toContain(name)
    // The stand-in installs nothing.
    expect(exitCode).toBe(0)
  })

  test("is not installed over a language that is there", () => {
    const install = installed({})?.split(" ")
    expect(install).toContain("strace")
    for (const name of ["cargo", "gcc", "golang", "python3", "python3-pip"]) expect(install).not.toContain(name)
  })

  test.each([
    ["go1.19.8", true],
    ["go1.26.8", false],
  ])("includes a Go that builds the tools beside %s: %p", (version, isFetched) => {
    const { exitCode, called } = runCi({ acts: { ...GREEN, "go env GOVERSION": { prints: `${version}\n` } } })
    expect(exitCode).toBe(0)
    expect(called.includes("newer-go.sh")).toBe(isFetched)
  })

  test("fails a strict run of a user who may install nothing", () => {
    const machine = { acts: GREEN, root: false, has: ["apt-get"] }
    expect(runCi(machine).exitCode).toBe(0)
    rmSync(join(checkout, "bin"), { recursive: true })
    mkdirSync(join(checkout, "bin"))
    const { exitCode, lines, called } = runCi({ ...machine, env: { CI_STRICT: "1" } })
    expect(exitCode).toBe(1)
    for (const step of ["packages", "ptxas", "wine", "release, workflows"])
      expect(lines.filter(line => line.startsWith(`  skipped: ${step}: need`))).not.toEqual([])
    expect(called.some(command => command.startsWith("apt-get"))).toBe(false)
  })
})

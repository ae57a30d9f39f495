/** The built executable, run in an empty directory. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { version } from "../../package.json" with { type: "json" }
import type { Command } from "../../src/config/commands.ts"
import { optionsOf } from "../../src/config/options.ts"
import { builtExecutable } from "../support/executable.ts"

const directory = mkdtempSync(join(tmpdir(), "quantus-miner-test-"))
const executable = join(directory, "bin", "quantus-miner")
const empty = join(directory, "empty")

/** Files that change what the runtime does, and what its output shows if it reads them. */
const CANARIES = [
  { file: "bunfig.toml", text: 'preload = ["../preload.ts"]', shows: "preloaded" },
  { file: ".env", text: "MINER_ENGINE=from-dot-env", shows: "from-dot-env" },
  { file: "package.json", text: "{ canary", shows: "package.json" },
  { file: "tsconfig.json", text: "{ canary", shows: "tsconfig.json" },
]

beforeAll(async () => {
  mkdirSync(join(directory, "bin"))
  copyFileSync(builtExecutable(), executable)
  writeFileSync(join(directory, "preload.ts"), 'console.log("preloaded")')
  for (const { file, text } of CANARIES) await Bun.write(join(empty, file), text)
}, 60_000)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

function run(args: string[], options: { env?: Record<string, string>; input?: string } = {}): Outcome {
  const { exitCode, stdout, stderr } = Bun.spawnSync([executable, ...args], {
    cwd: empty,
    env: { HOME: empty, ...options.env },
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
  })
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() }
}

const ZEROS = { header: "00".repeat(32), nonce: "00".repeat(64) }

test("--version prints the version of package.json", () => {
  expect(run(["--version"])).toEqual({ code: 0, out: `quantus-miner ${version}\n`, err: "" })
})

test("version --json is one JSON object with commit and target", () => {
  const { code, out } = run(["version", "--json"])
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({
    version,
    commit: expect.stringMatching(/^[0-9a-f]{40}(-dirty)?$/),
    runtime: `bun ${Bun.version}`,
    target: `${process.platform}-${process.arch}`,
    engines: expect.arrayContaining(["wasm", "cuda"]),
  })
  expect(run(["version"]).out).toBe(`quantus-miner ${version}\n`)
})

test("without a home directory, a line says that measurements are not kept", () => {
  const args = ["benchmark", "--duration", "0.1", "--cpu-workers", "1", "--gpu-devices", "0"]
  const { code, err } = run(args, { env: { HOME: "" } })
  expect(code).toBe(0)
  expect(err).toContain("measurements are not kept for the next start: no state directory is known")
}, 60_000)

test("doctor reports what is wrong as a finding and exits with 1, also as JSON", () => {
  const args = ["doctor", "--node-addr", "127.0.0.1:9", "--cpu-workers", "1", "--engine", "wasm"]
  const wrong = run([...args, "--auth-token-file", join(empty, "absent"), "--json"])
  expect(wrong.code).toBe(1)
  const { ok, findings } = JSON.parse(wrong.out)
  expect(ok).toBe(false)
  expect(findings[0]).toEqual({ topic: "configuration", level: "wrong", text: expect.stringContaining("absent") })
  // What can be checked without the configuration is checked.
  expect(findings.map(({ topic }: { topic: string }) => topic)).toEqual(expect.arrayContaining(["CPUs", "engines"]))
  const unreachable = run([...args, "--auth-token", "token", "--tls-cert-sha256", "ab".repeat(32)])
  expect(unreachable.code).toBe(1)
  expect(unreachable.out).toMatch(/^ok +engines +wasm makes [0-9.]+ [kM]H\/s on this machine/m)
  expect(unreachable.out).toMatch(/^WRONG +source +quic:\/\/127\.0\.0\.1:9: /m)
}, 30_000)

test.each([
  { BUN_BE_BUN: "1" },
  { BUN_OPTIONS: `--preload=${join(directory, "preload.ts")}` },
  { BUN_INSPECT: "127.0.0.1:0" },
  { BUN_INSPECT_PRELOAD: join(directory, "preload.ts") },
  { BUN_CONFIG_VERBOSE_FETCH: "1" },
  { BUN_JSC_dumpOptions: "2" },
  { BUN_JSC_notAnOption: "1" },
  { JSC_dumpOptions: "2" },
  { NODE_OPTIONS: `--require=${join(directory, "preload.ts")}` },
  { BUN_CONFIG_FILE: join(empty, "bunfig.toml") },
])("the runtime's variables change nothing: %o", env => {
  expect(run(["--version"], { env })).toEqual({ code: 0, out: `quantus-miner ${version}\n`, err: "" })
})

test("the runtime's variables let it write nothing", () => {
  const written = join(directory, "written")
  const env = { BUN_BYTECODE_ORDER_OUT: written, BUN_BYTECODE_DIGEST_OUT: written }
  expect(run(["--version"], { env }).code).toBe(0)
  expect(existsSync(written)).toBe(false)
})

test("without arguments it prints its usage, and each command has its usage", () => {
  const usage = run([])
  expect(usage.code).toBe(0)
  expect(run(["--help"])).toEqual(usage)
  const commands = [...usage.out.matchAll(/^ +([a-z]+) {2,}[A-Z]/gm)].map(([, name]) => name!)
  expect(commands).toContain("hash")
  for (const command of commands) {
    const { code, out, err } = run([command, "--help"])
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toContain(`quantus-miner ${command} [OPTIONS]`)
    if (optionsOf(command as Command).includes("verbose")) expect(out).toContain("MINER_VERBOSE")
  }
})

describe("a usage error is one line and an exit code", () => {
  const errors: [string[], number, string][] = [
    [["mine"], 64, "unknown command mine: see quantus-miner --help"],
    [["child-task"], 64, "unknown command child-task: see quantus-miner --help"],
    [["--engine", "wasm"], 64, "flags must follow a command: --engine: see quantus-miner --help"],
    [["hash", "--enginee"], 64, "unknown flag --enginee: see quantus-miner hash --help"],
    [["hash", "--engine"], 64, "--engine requires a value: --engine NAME"],
    [["hash", "--engine", ""], 64, "--engine is empty"],
    [["hash", "00", "01"], 64, 'HEADER must be 64 hexadecimal digits, not "00"'],
  ]
  test.each(errors)("%j", (args, code, message) => {
    expect(run(args)).toEqual({ code, out: "", err: `quantus-miner: ${message}\n` })
  })

  test("also from the environment", () => {
    const { code, err } = run(["hash"], { env: { MINER_VERBOSE: "perhaps" }, input: "" })
    expect({ code, err }).toEqual({
      code: 64,
      err: 'quantus-miner: MINER_VERBOSE must be 1, 0, true, false, yes or no, not "perhaps"\n',
    })
  })
})

describe("hash", () => {
  const hash = (...args: string[]) => run(["hash", ...args, ZEROS.header, ZEROS.nonce])

  test("prints 64 bytes", () => {
    const { code, out, err } = hash()
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toMatch(/^[0-9a-f]{128}\n$/)
  })

  test("is the same for every portable engine", () => {
    const expected = hash("--engine", "reference")
    for (const engine of ["wasm", "wasm-narrow"]) expect(hash("--engine", engine)).toEqual(expected)
  })

  test("an engine that is unknown or cannot run on this machine is an error", () => {
    expect(hash("--engine", "abacus")).toEqual({
      code: 64,
      out: "",
      err: expect.stringMatching(
        /^quantus-miner: --engine abacus is unknown: available engines are reference, .*, cuda, opencl\n$/,
      ),
    })
    const { code, err } = hash("--engine", "cuda")
    if (code !== 0) expect(err).toMatch(/^quantus-miner: --engine cuda cannot run on this machine: .*\n$/)
  })

  test("reads JSON lines if it has no arguments", () => {
    const vectors = `${import.meta.dir}/../vectors/nonce-hash.jsonl`
    return Bun.file(vectors)
      .text()
      .then(text => {
        const lines = text.trim().split("\n").slice(0, 20)
        const expected = lines.map(line => `${JSON.stringify({ hash: JSON.parse(line).hash })}\n`).join("")
        const { code, out, err } = run(["hash", "--engine", "wasm"], { input: `${lines.join("\n")}\n` })
        expect({ code, err }).toEqual({ code: 0, err: "" })
        expect(out).toBe(expected)
      })
  })

  test("reports the invalid line", () => {
    const good = JSON.stringify(ZEROS)
    const wrong = run(["hash"], { input: `${good}\n\n{"header":1}\n` })
    expect(wrong).toMatchObject({ code: 64, out: expect.stringMatching(/^\{"hash":"[0-9a-f]{128}"\}\n$/) })
    expect(wrong.err).toBe("quantus-miner: line 3 of standard input: header must be 64 hexadecimal digits\n")
    expect(run(["hash"], { input: "{" }).err).toContain("line 1 of standard input is not JSON")
  })
})

describe("the working directory has no effect", () => {
  test("though each file would show in the output of the runtime alone", async () => {
    for (const { file, text, shows } of CANARIES) {
      const alone = join(directory, `with-${file}`)
      await Bun.write(join(alone, file), text)
      await Bun.write(join(alone, "main.ts"), "console.log(process.env.MINER_ENGINE); await import('absent')")
      const { stdout, stderr } = Bun.spawnSync([process.execPath, "main.ts"], { cwd: alone, env: { HOME: alone } })
      expect(`${stdout}${stderr}`, file).toContain(shows)
    }
  })

  const commands: readonly string[][] = [
    ["--version"],
    ["hash", ZEROS.header, ZEROS.nonce],
    ["demo", "--difficulty=2000", "--seals=1", "--cpu-workers=1", "--gpu-devices=0"],
  ]
  test.each(commands.map(args => [args] as const))("on %j", args => {
    const { code, out, err } = run(args)
    expect(`${out}${err}`).not.toMatch(new RegExp(CANARIES.map(({ shows }) => shows.replace(".", "\\.")).join("|")))
    expect(code).toBe(0)
  })
})

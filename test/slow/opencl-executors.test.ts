/**
 * The OpenCL text on implementations that share no compiler settings: PoCL, rusticl with llvmpipe, and Oclgrind, which
 * interprets it and reports data races, uninitialised values and misuse of the API.
 */
import { describe, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

interface Executor {
  readonly name: string
  /** Libraries of the implementation, the first of which that exists is used. */
  readonly libraries: readonly string[]
  readonly aptPackage: string
  readonly rows: number
  readonly groupSize: number
  readonly env: Readonly<Record<string, string>>
}

const TRIPLET = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`

const EXECUTORS: readonly Executor[] = [
  {
    name: "PoCL",
    libraries: [`${TRIPLET}/libpocl.so.2.10.0`, `${TRIPLET}/libpocl.so.2`],
    aptPackage: "pocl-opencl-icd",
    rows: 16,
    groupSize: 1,
    env: {},
  },
  {
    name: "rusticl",
    libraries: [`${TRIPLET}/libRusticlOpenCL.so.1`],
    aptPackage: "mesa-opencl-icd",
    rows: 16,
    groupSize: 64,
    env: { RUSTICL_ENABLE: "llvmpipe" },
  },
  {
    name: "Oclgrind",
    libraries: ["/usr/lib/oclgrind/liboclgrind-rt-icd.so"],
    aptPackage: "oclgrind",
    rows: 4,
    groupSize: 64,
    env: { OCLGRIND_DATA_RACES: "1", OCLGRIND_UNINITIALIZED: "1", OCLGRIND_CHECK_API: "1", OCLGRIND_NUM_THREADS: "2" },
  },
]

describe.each(EXECUTORS)("$name", ({ libraries, aptPackage, rows, groupSize, env }) => {
  const library = libraries.find(path => existsSync(path))
  if (library === undefined) {
    test.skip(`finds the candidates of a search (skipped: no ${libraries[0]}; apt has ${aptPackage})`, () => {})
    return
  }
  test.each(["rolled", "in-a-row"])(
    "finds the candidates of a search with rounds %s, without a report",
    async rounds => {
      const directory = mkdtempSync(join(tmpdir(), "opencl-"))
      try {
        writeFileSync(join(directory, "only.icd"), `${library}\n`)
        const log = join(directory, "oclgrind.log")
        const script = join(import.meta.dir, "opencl-search.ts")
        const child = Bun.spawn([process.execPath, script, String(rows), String(groupSize), rounds], {
          env: { ...process.env, ...env, OCL_ICD_VENDORS: directory, OCLGRIND_LOG: log },
          stdout: "pipe",
          stderr: "pipe",
        })
        const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
        console.log(`${out}${err}`.trim())
        expect(await child.exited).toBe(0)
        expect(existsSync(log) ? readFileSync(log, "utf8") : "").toBe("")
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  )
})

import { afterAll, describe, expect, test } from "bun:test"
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { cLibrariesIn, openCLibrary, openLibrary } from "../../../src/host/linux/libraries.ts"

const MODULE = join(import.meta.dir, "../../../src/host/linux/libraries.ts")
const NAME = "libnobody-has-it.so.1"
const getpid = { getpid: { args: [], returns: "i32" } } as const

describe.skipIf(process.platform !== "linux")("a library of the system", () => {
  const directory = mkdtempSync(join(tmpdir(), "libraries-"))
  const mapped = readFileSync("/proc/self/maps", "utf8")
  const [cLibrary] = /\/\S*\/(libc\.so\.6|libc-[\d.]+\.so|ld-musl-\S+)/.exec(mapped)!
  copyFileSync(cLibrary!, join(directory, NAME))
  afterAll(() => rmSync(directory, { recursive: true }))

  test("is opened by the loader's name for it, and by its path", () => {
    expect(openCLibrary(getpid).symbols.getpid()).toBe(process.pid)
    expect(openLibrary(cLibrary!, getpid).symbols.getpid()).toBe(process.pid)
  })

  test.each([
    ["Bun's own dlopen", 'import { dlopen as open } from "bun:ffi"', true],
    ["the system's loader", `import { openLibrary as open } from ${JSON.stringify(MODULE)}`, false],
  ])("in the current directory is opened by %s: %s", (_, line, isOpened) => {
    const program = `${line}; open(${JSON.stringify(NAME)}, ${JSON.stringify(getpid)})`
    const run = Bun.spawnSync([process.execPath, "-e", program], { cwd: directory, stderr: "pipe" })
    expect(run.exitCode === 0).toBe(isOpened)
    if (!isOpened)
      expect(run.stderr.toString()).toMatch(`${NAME}: cannot open shared object file: No such file or directory`)
  })

  test("that is missing is reported with the loader's message", () => {
    expect(() => openLibrary("libnone.so.1", getpid)).toThrow(/libnone\.so\.1.*No such file/)
  })
})

/** Programs start on copies of these by the loader itself. */
const LOADER = "/lib64/ld-linux-x86-64.so.2"
const GLIBC = ["c.so.6", "dl.so.2", "pthread.so.0", "m.so.6"].map(name => `/lib/x86_64-linux-gnu/lib${name}`)

describe("a C library that an upgrade replaced under the process", () => {
  test.skipIf(!existsSync(LOADER) || !GLIBC.every(existsSync))(
    "still serves new threads, and no second one is mapped",
    () => {
      const directory = mkdtempSync(join(tmpdir(), "glibc-"))
      try {
        for (const path of GLIBC) copyFileSync(path, join(directory, path.slice(path.lastIndexOf("/") + 1)))
        const program = join(import.meta.dir, "replaced-libc.ts")
        const { stdout, stderr } = Bun.spawnSync([
          LOADER,
          "--library-path",
          directory,
          readFileSync("/proc/self/maps", "utf8").match(/\S*\/bun\S*/)?.[0] ?? process.execPath,
          program,
          directory,
        ])
        expect(stderr.toString()).toBe("")
        const { cpus, replaced, copies } = JSON.parse(stdout.toString())
        expect({ replaced, copies }).toEqual({ replaced: true, copies: 1 })
        expect(cpus).toBeGreaterThan(0)
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  )

  test.each([
    ["/usr/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6"],
    ["/usr/lib/x86_64-linux-gnu/libdl.so.2", "libdl.so.2"],
    ["/lib/x86_64-linux-gnu/libc-2.31.so", "libc.so.6"],
    ["/lib/x86_64-linux-gnu/libdl-2.31.so", "libdl.so.2"],
    ["/lib/ld-musl-x86_64.so.1", "libc.musl-x86_64.so.1"],
  ])("%s is found as %s", (path, name) => {
    const line = (suffix: string) => `7f00-7f01 r-xp 00000000 08:01 12 ${path}${suffix}`
    expect(cLibrariesIn(line(""))).toEqual([path])
    expect(cLibrariesIn(line(" (deleted)"))).toEqual([name])
  })
})

const MATHEMATICS = "/lib/x86_64-linux-gnu/libm.so.6"

test.skipIf(!existsSync(MATHEMATICS))("a driver's library that an upgrade replaced still serves new threads", () => {
  const directory = mkdtempSync(join(tmpdir(), "driver-"))
  try {
    copyFileSync(MATHEMATICS, join(directory, "libdriver.so.1"))
    const program = join(import.meta.dir, "replaced-driver.ts")
    const { stdout, stderr } = Bun.spawnSync([process.execPath, program, directory], {
      env: { ...process.env, LD_LIBRARY_PATH: directory },
    })
    expect(stderr.toString()).toBe("")
    expect(JSON.parse(stdout.toString())).toEqual({ rounded: 3, replaced: true })
  } finally {
    rmSync(directory, { recursive: true })
  }
})

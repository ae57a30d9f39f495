import { afterAll, describe, expect, test } from "bun:test"
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openCLibrary, openSystemLibrary } from "../../src/host/system-library.ts"

const MODULE = join(import.meta.dir, "../../src/host/system-library.ts")
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
    expect(openSystemLibrary(cLibrary!, getpid).symbols.getpid()).toBe(process.pid)
  })

  test.each([
    ["Bun's own dlopen", 'import { dlopen as open } from "bun:ffi"', true],
    ["the system's loader", `import { openSystemLibrary as open } from ${JSON.stringify(MODULE)}`, false],
  ])("in the current directory is opened by %s: %s", (_, line, isOpened) => {
    const program = `${line}; open(${JSON.stringify(NAME)}, ${JSON.stringify(getpid)})`
    const run = Bun.spawnSync([process.execPath, "-e", program], { cwd: directory, stderr: "pipe" })
    expect(run.exitCode === 0).toBe(isOpened)
    if (!isOpened)
      expect(run.stderr.toString()).toMatch(`${NAME}: cannot open shared object file: No such file or directory`)
  })

  test("is not there on other systems", () => {
    expect(() => openSystemLibrary("libcuda.so.1", getpid, "darwin")).toThrow("libcuda.so.1 could not be found")
  })

  test("that is not there is told in the loader's words", () => {
    expect(() => openSystemLibrary("libnone.so.1", getpid)).toThrow(/libnone\.so\.1.*No such file/)
  })
})

import { afterAll, expect, test } from "bun:test"
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { loadState, saveState } from "../../src/host/state-file.ts"
import { scratch } from "./support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

const key = { version: "1", cpu: "A", workers: [2], quota: null }
const isValue = (value: unknown): value is number => typeof value === "number"
const load = (path: string, now: Record<string, unknown> = key) => loadState({ path, field: "rate", key: now, isValue })

test("a saved value is loaded under the same key, whatever the order of its fields", () => {
  const path = join(tmp.directory(), "new", "state.json")
  expect(load(path)).toEqual({ kind: "absent" })
  saveState(path, "rate", key, 7)
  expect(load(path)).toEqual({ kind: "valid", value: 7 })
  expect(load(path, { quota: null, workers: [2], cpu: "A", version: "1" })).toEqual({ kind: "valid", value: 7 })
  expect(readdirSync(join(path, ".."))).toEqual(["state.json"])
})

test.each([
  [{ ...key, version: "2" }, "was made with a different value of version"],
  [{ ...key, quota: 2.5 }, "was made with a different value of quota"],
  [{ ...key, cpuFeatures: ["avx2"] }, "was made with a different value of cpu features"],
  [{ version: "1", cpu: "A", workers: [2] }, "was made with a different value of quota"],
])("a value of another key is refused, and the reason names the first difference: %j", (now, why) => {
  const path = join(tmp.directory(), "state.json")
  saveState(path, "rate", key, 7)
  expect(load(path, now)).toEqual({ kind: "refused", why })
})

test("a damaged file is refused at every length, and a directory in its place is unreadable", () => {
  const path = join(tmp.directory(), "state.json")
  saveState(path, "rate", key, 7)
  const text = readFileSync(path, "utf8")
  for (let length = 0; length < text.trimEnd().length; length++) {
    writeFileSync(path, text.slice(0, length))
    expect(load(path)).toEqual({ kind: "refused", why: "is damaged" })
  }
  for (const other of ["null", "[]", '{"key":[]}', text.replace("7", '"7"')]) {
    writeFileSync(path, other)
    expect(load(path)).toMatchObject({ kind: "refused", why: "is damaged" })
  }
  const directory = join(tmp.directory(), "state.json")
  mkdirSync(directory)
  expect(load(directory)).toEqual({ kind: "refused", why: "cannot be read (EISDIR)" })
})

test("a value that cannot be written leaves the old one and no temporary file", () => {
  const path = join(tmp.directory(), "state.json")
  saveState(path, "rate", key, 7)
  expect(() => saveState(path, "rate", key, 1n)).toThrow(TypeError)
  expect(load(path)).toEqual({ kind: "valid", value: 7 })
  expect(readdirSync(join(path, ".."))).toEqual(["state.json"])
})

const isRoot = process.getuid?.() === 0

test.skipIf(isRoot)(
  `a directory that cannot be written is an error${isRoot ? " (skipped: root may write everywhere)" : ""}`,
  () => {
    const directory = tmp.directory()
    chmodSync(directory, 0o500)
    expect(() => saveState(join(directory, "state.json"), "rate", key, 7)).toThrow("EACCES")
  },
)

test("a file below something that is not a directory is absent", () => {
  expect(load("/dev/null/state.json")).toEqual({ kind: "absent" })
})

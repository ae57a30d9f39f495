import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileCache } from "../../../src/engines/cpu/calibration-cache.ts"

const directory = mkdtempSync(join(tmpdir(), "calibration-"))
afterAll(() => rmSync(directory, { recursive: true }))

const key = { cpu: "A CPU", microcode: "0x1", version: "1.2.3", native: true, workers: [2] }
const calibration = { kernels: [{ name: "wasm", hashesPerSecond: 5e5 }], workers: 2 }
const file = join(directory, "new", "calibration.json")

test("a saved calibration is loaded for the same key only", async () => {
  const cache = fileCache(file)
  expect(await cache.load(key)).toBeUndefined()
  await cache.save(key, calibration)
  expect(await cache.load({ workers: [2], version: "1.2.3", native: true, microcode: "0x1", cpu: "A CPU" })).toEqual(
    calibration,
  )
  for (const other of [
    { cpu: "B" },
    { microcode: "0x2" },
    { version: "1.2.4" },
    { native: false },
    { workers: [4] },
    { workers: [2, 1] },
  ]) {
    expect(await cache.load({ ...key, ...other })).toBeUndefined()
  }
  expect(readdirSync(join(directory, "new"))).toEqual(["calibration.json"])
})

test("a damaged file counts as absent", async () => {
  const cache = fileCache(file)
  await cache.save(key, calibration)
  const text = readFileSync(file, "utf8")
  const damaged = [
    "",
    text.slice(0, -20),
    "null",
    "[]",
    text.replace('"wasm"', "5"),
    text.replace("500000", '"fast"'),
    text.replace("500000", "0"),
    text.replace(/"workers": 2\n/, '"workers": 0\n'),
    text.replace(/"workers": 2\n/, '"workers": 40\n'),
    text.replace(/"kernels": \[[^\]]*\]/, '"kernels": []'),
  ]
  for (const content of damaged) {
    expect(content).not.toBe(text)
    writeFileSync(file, content)
    expect(await cache.load(key)).toBeUndefined()
  }
})

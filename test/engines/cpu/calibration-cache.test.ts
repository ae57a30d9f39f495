import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type CalibrationKey, fileCache } from "../../../src/engines/cpu/calibration-cache.ts"

const directory = mkdtempSync(join(tmpdir(), "calibration-"))
afterAll(() => rmSync(directory, { recursive: true }))

const key: CalibrationKey = {
  version: "1.2.3",
  cpu: "A CPU",
  microcode: "0x1",
  features: ["avx2"],
  native: true,
  quota: 2.5,
  candidates: ["avx512", "wasm"],
  workers: [2],
}
const calibration = { kernels: [{ name: "wasm", hashesPerSecond: 5e5 }], workers: 2 }
const file = join(directory, "new", "calibration.json")

test.each([
  ["version", { version: "1.2.4" }],
  ["cpu", { cpu: "B" }],
  ["microcode", { microcode: "0x2" }],
  ["features", { features: ["avx2", "avx512f"] }],
  ["native", { native: false }],
  ["quota", { quota: null }],
  ["candidates", { candidates: ["wasm"] }],
  ["workers", { workers: [2, 1] }],
  ["kinds", { kinds: ["P cores", "E cores"] }],
])("a calibration is loaded under the same conditions only: another %s", (name, other) => {
  const cache = fileCache(file)
  cache.save(key, calibration)
  expect(cache.load(key)).toEqual({ kind: "valid", value: calibration })
  expect(cache.load({ ...key, ...other })).toEqual({
    kind: "refused",
    why: `was made with a different value of ${name}`,
  })
})

describe("on cores of different kinds", () => {
  const ofKinds = { ...key, kinds: ["P cores", "E cores"] }
  const kinds = ofKinds.kinds.map(name => ({ name, kernels: calibration.kernels }))

  test("a calibration has a ranking for each kind", () => {
    const cache = fileCache(file)
    cache.save(ofKinds, { ...calibration, kinds })
    expect(cache.load(ofKinds)).toEqual({ kind: "valid", value: { ...calibration, kinds } })
    expect(cache.load(key)).toEqual({ kind: "refused", why: "was made with a different value of kinds" })
  })

  test.each([
    ["missing", undefined],
    ["too few", kinds.slice(1)],
    ["in another order", kinds.toReversed()],
    ["without kernels", kinds.map(({ name }) => ({ name, kernels: [] }))],
    ["of another form", "P cores"],
  ])("rankings are refused that are %s", (_, edited) => {
    const cache = fileCache(file)
    cache.save(ofKinds, { ...calibration, kinds: edited as never })
    expect(cache.load(ofKinds)).toEqual({ kind: "refused", why: "is damaged" })
  })
})

test("a calibration of alike cores is stored as before there were kinds", () => {
  fileCache(file).save({ ...key, kinds: undefined }, calibration)
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ key, calibration })
  writeFileSync(file, JSON.stringify({ key, calibration }))
  expect(fileCache(file).load({ ...key, kinds: undefined })).toEqual({ kind: "valid", value: calibration })
})

test("an edited calibration is refused", () => {
  const cache = fileCache(file)
  cache.save(key, calibration)
  const text = readFileSync(file, "utf8")
  const edited = [
    text.replace('"name": "wasm"', '"name": 5'),
    text.replace('"name": "wasm"', '"name": "avx9000"'),
    text.replace("500000", '"fast"'),
    text.replace("500000", "0"),
    text.replace(/"workers": 2\n/, '"workers": 0\n'),
    text.replace(/"workers": 2\n/, '"workers": 40\n'),
    text.replace(/"kernels": \[[^\]]*\]/, '"kernels": []'),
  ]
  for (const content of edited) {
    expect(content).not.toBe(text)
    writeFileSync(file, content)
    expect(cache.load(key)).toEqual({ kind: "refused", why: "is damaged" })
  }
})

import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fill, packagedUnit } from "../../../scripts/release/packages.ts"

test("the packaged unit differs from the documented one in the executable's place alone", () => {
  const unit = readFileSync(join(import.meta.dir, "../../../systemd/quantus-miner.service"), "utf8")
  const packaged = packagedUnit(unit)
  expect(packaged).toContain("ExecStart=/usr/bin/quantus-miner serve")
  expect(packaged).not.toContain("/usr/local")
  expect(packaged.replaceAll("/usr/bin/", "/usr/local/bin/")).toBe(unit)
  expect(() => packagedUnit(packaged)).toThrow("does not start")
})

test("a template's places are filled, and an unknown one is an error", () => {
  expect(fill("a ${B} c ${B}", { B: "x" })).toBe("a x c x")
  expect(() => fill("${OTHER}", {})).toThrow("unknown place OTHER")
})

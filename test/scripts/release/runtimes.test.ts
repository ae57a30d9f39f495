import { afterEach, beforeEach, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { lockedPackages, runtimeFor } from "../../../scripts/release/runtimes.ts"
import { writeTar } from "../../../scripts/release/tar.ts"
import { TARGETS, type Target } from "../../../scripts/release/targets.ts"

const target: Target = {
  name: "toy",
  bun: "bun-toy",
  runtimePackage: "@oven/bun-toy",
  runtimePath: "package/bin/bun",
  archive: "tar.xz",
  needs: "",
  tested: "",
}
const packed = gzipSync(writeTar([{ path: "package/bin/bun", bytes: Buffer.from("runtime"), mode: 0o755 }], 0))
const locked = { version: "1.0.0", integrity: `sha512-${createHash("sha512").update(packed).digest("base64")}` }

let cache = ""
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "quantus-runtimes-"))
  writeFileSync(join(cache, "oven-bun-toy-1.0.0.tgz"), packed)
})
afterEach(() => rmSync(cache, { recursive: true, force: true }))

test("the runtime comes out of the package", () => {
  expect(readFileSync(runtimeFor(target, locked, cache), "utf8")).toBe("runtime")
})

test("one changed byte of a cached package ends the build", () => {
  const changed = Buffer.from(packed)
  changed[changed.length >> 1]! ^= 1
  writeFileSync(join(cache, "oven-bun-toy-1.0.0.tgz"), changed)
  expect(() => runtimeFor(target, locked, cache)).toThrow("is not what package-lock.json names")
})

test("a changed runtime beside the package is replaced", () => {
  writeFileSync(runtimeFor(target, locked, cache), "changed")
  expect(readFileSync(runtimeFor(target, locked, cache), "utf8")).toBe("runtime")
})

test("the lock file has every target's runtime, all of the version that runs this", () => {
  const packages = lockedPackages(join(import.meta.dir, "../../.."))
  for (const { runtimePackage } of TARGETS) expect(packages.get(runtimePackage)?.version).toBe(Bun.version)
})

import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { version } from "../../package.json" with { type: "json" }
import lock from "../../package-lock.json" with { type: "json" }
import { PLACES } from "../../scripts/version.ts"

const read = (path: string) => readFileSync(join(import.meta.dir, "../..", path), "utf8")

describe("the version of package.json", () => {
  test.each(PLACES)("is in $path", ({ path, pattern }) => {
    const versions = read(path).match(pattern)!
    expect(versions.length).toBeGreaterThan(0)
    expect(new Set(versions)).toEqual(new Set([version]))
  })

  test("is in the lock file", () => {
    expect(lock.version).toBe(version)
    expect(lock.packages[""].version).toBe(version)
  })

  test("is the newest one of the changelog", () => {
    expect(/^## (\d\S*)/m.exec(read("CHANGELOG.md"))![1]).toBe(version)
  })
})

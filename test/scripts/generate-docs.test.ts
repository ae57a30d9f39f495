import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DOCUMENTS, fillTable } from "../../scripts/generate-docs.ts"

const root = join(import.meta.dir, "../..")

describe("committed tables match the script (npm run docs)", () => {
  for (const { path, table } of DOCUMENTS) {
    test.skipIf(!existsSync(join(root, path)))(path, () => {
      const text = readFileSync(join(root, path), "utf8")
      expect(text).toBe(fillTable(text, table()))
    })
  }
})

test("the service's table lists variables and escapes vertical bars", () => {
  const table = DOCUMENTS.find(({ path }) => path === "systemd/readme.md")!.table()
  expect(table).toContain("| `MINER_CPU_WORKERS`, `MINER_WORKERS` | `N` |  | ")
  expect(table).toContain("`auto\\|none\\|CPULIST`")
  expect(table).not.toContain("MINER_INTERVAL_MS")
})

test("only the text between the markers is replaced", () => {
  const text = "a\n<!-- options -->\nold\n<!-- /options -->\nb\n"
  const filled = "a\n<!-- options -->\n\nnew\n\n<!-- /options -->\nb\n"
  expect(fillTable(text, "new")).toBe(filled)
  expect(fillTable(filled, "new")).toBe(filled)
})

test.each(["", "<!-- options -->", "<!-- /options --> <!-- options -->"])("no markers: %j", text => {
  expect(() => fillTable(text, "new")).toThrow("no <!-- options -->")
})

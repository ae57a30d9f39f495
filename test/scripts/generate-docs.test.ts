import { describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fillBlock } from "../../scripts/document-blocks.ts"
import { TABLES } from "../../scripts/generate-docs.ts"

const root = join(import.meta.dir, "../..")

describe("committed tables match the script (npm run docs)", () => {
  for (const { path, block, table } of TABLES) {
    test.skipIf(!existsSync(join(root, path)))(
      `${path}: ${block}`,
      () => {
        const text = readFileSync(join(root, path), "utf8")
        expect(text).toBe(fillBlock(text, block, table()))
      },
      60_000,
    )
  }
})

test("the service's table lists variables and escapes vertical bars", () => {
  const table = TABLES.find(({ path }) => path === "systemd/readme.md")!.table()
  expect(table).toContain("| `MINER_CPU_WORKERS`, `MINER_WORKERS` | `N` |  | ")
  expect(table).toContain("`auto\\|none\\|CPULIST`")
  expect(table).not.toContain("MINER_INTERVAL_MS")
})

test("only the text between the markers is replaced", () => {
  const text = "a\n<!-- options -->\nold\n<!-- /options -->\nb\n"
  const filled = "a\n<!-- options -->\n\nnew\n\n<!-- /options -->\nb\n"
  expect(fillBlock(text, "options", "new")).toBe(filled)
  expect(fillBlock(filled, "options", "new")).toBe(filled)
})

test.each(["", "<!-- options -->", "<!-- /options --> <!-- options -->"])("no markers: %j", text => {
  expect(() => fillBlock(text, "options", "new")).toThrow("no <!-- options -->")
})

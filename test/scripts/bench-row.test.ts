import { expect, test } from "bun:test"
import { performanceRow, ROW_ENGINES } from "../../scripts/bench-row.ts"

test("a measurement becomes a row of the table by CPU in docs/performance.md", async () => {
  const results = [
    { name: "chain", ratio: 1 },
    { name: "avx2", ratio: 11.538 },
    { name: "wasm", ratio: 3.7 },
  ]
  const row = performanceRow({ cpu: "A CPU", date: "2026-11-25", results })
  expect(row).toBe("| A CPU | 2026-11-25 |  |  | 11.54 | 3.70 |")
  const header = `| CPU | Date | ${ROW_ENGINES.map(engine => `\`${engine}\``).join(" | ")} |`
  expect(await Bun.file("docs/performance.md").text()).toContain(header)
})

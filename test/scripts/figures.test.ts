import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { BLOCKS, blockText, figureTable } from "../../scripts/figures.ts"

const root = join(import.meta.dir, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")

test("figures are read from a test run, in order", () => {
  const output = "(pass) one\nfigure: a | b: c => 1.20 ms, p99 3 ms\nnoise figure: x => y\nfigure: d => 2\n"
  expect(figureTable(output)).toBe("| What | Measured |\n| --- | --- |\n| a \\| b: c | 1.20 ms, p99 3 ms |\n| d | 2 |")
  expect(() => figureTable("(pass) one\n")).toThrow("printed no figure")
})

test("a block names machine, date and command", () => {
  const text = blockText("Zen 4", "2026-11-25", ["npm", "run", "-s", "bench", "--", "-t", "from NewJob"], "| table |")
  expect(text).toBe('Zen 4, 2026-11-25:\n\n    npm run bench -- -t "from NewJob"\n\n| table |')
})

describe("every block has a place, and every place a block", () => {
  const documents = ["README.md", "docs/performance.md", "docs/reliability.md", "docs/fleet.md"].map(read)
  const places = new Set(
    documents.flatMap(text => [...text.matchAll(/<!-- figures (\w+) -->/g)].map(([, name]) => name!)),
  )
  test("names", () => expect([...places].sort()).toEqual(Object.keys(BLOCKS).sort()))
})

/** A measured rate, time, size or instruction count. */
const FIGURE = /\d[\d.,]*\s*(?:[kMG]?H\/s|ms\b|[MG]i?B\b|instructions\b)/
const COMMAND = /npm run |npx |bun test|quantus-miner (?:benchmark|devices)|scripts\//

/** The figures of a document that have no command within five lines. A table counts as one line. */
function figuresWithoutCommand(text: string): string[] {
  const lines = text
    .replace(/<!-- (.+?) -->[\s\S]*?<!-- \/\1 -->/g, "")
    .replace(/^\|.*\n(?:\|.*\n)+/gm, table => `${table.trimEnd().replaceAll("\n", " ")}\n`)
    .split("\n")
  const isNear = (at: number) => lines.slice(Math.max(0, at - 5), at + 6).some(line => COMMAND.test(line))
  return lines.filter((line, at) => FIGURE.test(line) && !isNear(at))
}

describe("a figure outside a block has its command within five lines", () => {
  const paths = ["README.md", ...new Bun.Glob("docs/*.md").scanSync({ cwd: root })].sort()
  test.each(paths)("%s", path => {
    expect(figuresWithoutCommand(read(path))).toEqual([])
  })

  test("which the check tells apart", () => {
    const table = "| a |\n|---|\n| 1 ms |\n| 2 ms |\n"
    const blanks = "\n".repeat(6)
    expect(figuresWithoutCommand("It takes 1.5 ms.")).toEqual(["It takes 1.5 ms."])
    expect(figuresWithoutCommand(`It takes 1.5 ms.${blanks}npm run bench`)).toHaveLength(1)
    expect(figuresWithoutCommand(`npm run bench\n${table}`)).toEqual([])
    expect(figuresWithoutCommand(`npm run bench${blanks}${table}`)).toHaveLength(1)
    expect(figuresWithoutCommand("<!-- figures a -->\n1.5 ms\n<!-- /figures a -->\n")).toEqual([])
  })
})

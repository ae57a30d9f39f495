import { expect, test } from "bun:test"
import { Terminal } from "../../src/observe/terminal.ts"

const stream = (columns: number) => ({ write: () => {}, isTTY: true, columns })

test("a terminal that cannot redraw a line gets plain lines", () => {
  expect(new Terminal(stream(80), "xterm").interactive).toBe(true)
  expect(new Terminal(stream(80), "dumb").interactive).toBe(false)
  expect(new Terminal(stream(80), "").interactive).toBe(false)
  expect(new Terminal(stream(0), "xterm").interactive).toBe(false)
})

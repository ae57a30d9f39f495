import { expect, test } from "bun:test"
import { wrapColumns } from "../../src/config/usage.ts"

test("continuation lines keep the second column", () => {
  const text = ["OPTIONS", "   --node-addr=<HOST[:PORT]>    The node's address, an IPv6 address in brackets"].join("\n")
  expect(wrapColumns(text, 50)).toBe(
    [
      "OPTIONS",
      "   --node-addr=<HOST[:PORT]>    The node's",
      "                                address, an IPv6",
      "                                address in",
      "                                brackets",
    ].join("\n"),
  )
})

test("lines that fit and words that cannot be broken stay unchanged", () => {
  expect(wrapColumns("a  b c", 6)).toBe("a  b c")
  expect(wrapColumns("a  bbbbbbbb c", 6)).toBe("a  bbbbbbbb\n   c")
  expect(wrapColumns("a b c d", 3)).toBe("a b\nc d")
})

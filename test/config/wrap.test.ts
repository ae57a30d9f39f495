import { expect, test } from "bun:test"
import { wrapColumns } from "../../src/config/wrap.ts"

test("the second column is kept", () => {
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

test("what fits stays, and what cannot be broken is left", () => {
  expect(wrapColumns("a  b c", 6)).toBe("a  b c")
  expect(wrapColumns("a  bbbbbbbb c", 6)).toBe("a  bbbbbbbb\n   c")
  expect(wrapColumns("a b c d", 3)).toBe("a b\nc d")
})

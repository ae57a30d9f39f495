import { expect, test } from "bun:test"
import fc from "fast-check"
import { LineReader, LineTooLong, MAX_LINE_BYTES } from "../../../src/sources/stratum/lines.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** Cuts bytes at these places, in order. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...[...places].sort((a, b) => a - b), bytes.length]
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end))
}

function read(chunks: readonly Uint8Array[], limit?: number): string[] {
  const reader = new LineReader(limit)
  return chunks.flatMap(chunk => [...reader.push(chunk)])
}

test("lines are the same at every cut of the stream", async () => {
  const captured = await Bun.file(new URL("../../vectors/stratum-captured.jsonl", import.meta.url)).bytes()
  const whole = read([captured])
  expect(whole).toHaveLength(2)
  for (let place = 0; place <= captured.length; place++) expect(read(cut(captured, [place]))).toEqual(whole)
})

test("lines are the same in pieces of any size, including cut characters", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 40 }).map(text => text.replaceAll(/\s/g, "_"))
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, places) => {
      const bytes = bytesOf(lines.map(text => `${text}\n`).join(""))
      const pieces = cut(
        bytes,
        places.map(place => place % (bytes.length + 1)),
      )
      expect(read(pieces)).toEqual(lines.map(text => text.trim()).filter(text => text !== ""))
    }),
  )
})

test("a chunk may be overwritten after it was pushed", () => {
  const reader = new LineReader()
  const chunk = bytesOf("half")
  expect([...reader.push(chunk)]).toEqual([])
  chunk.fill(0)
  expect([...reader.push(bytesOf(" line\r\n"))]).toEqual(["half line"])
})

test("a line has at most 64 KiB, complete or not", () => {
  const longest = "x".repeat(MAX_LINE_BYTES)
  expect(read([bytesOf(`${longest}\n`)])).toEqual([longest])
  expect(read(cut(bytesOf(`${longest}\n`), [1000, 60_000]))).toEqual([longest])
  expect(() => read([bytesOf(`${longest}x`)])).toThrow(LineTooLong)
  expect(() => read([bytesOf(longest), bytesOf("x")])).toThrow(LineTooLong)
})

test("lines before one that is too long are not lost", () => {
  const lines: string[] = []
  const reader = new LineReader(4)
  expect(() => {
    for (const line of reader.push(bytesOf("good\ntoo long\n"))) lines.push(line)
  }).toThrow(LineTooLong)
  expect(lines).toEqual(["good"])
})

test("a carriage return alone ends a line, and NULs are dropped", () => {
  expect(read([bytesOf("one\rtwo\r"), bytesOf("\nthree\0\nfo\0ur\n")])).toEqual(["one", "two", "three", "four"])
})

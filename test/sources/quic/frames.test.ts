import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { encodeFrame, FrameDecoder, FrameError, MAX_FRAME_BYTES } from "../../../src/sources/quic/frames.ts"

const concat = (parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

/** Texts whose JSON fits, of one to four bytes a character. */
const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 60 }), { maxLength: 20 })

describe("frames", () => {
  test("a frame is a big-endian length and its bytes", () => {
    expect([...encodeFrame("{}")]).toEqual([0, 0, 0, 2, 0x7b, 0x7d])
    expect([...encodeFrame("é".repeat(256)).subarray(0, 4)]).toEqual([0, 0, 2, 0])
  })

  test("the maximum is in bytes and inclusive", () => {
    expect(encodeFrame("x".repeat(MAX_FRAME_BYTES))).toHaveLength(MAX_FRAME_BYTES + 4)
    expect(() => encodeFrame("x".repeat(MAX_FRAME_BYTES + 1))).toThrow(RangeError)
    expect(() => encodeFrame("é".repeat(513))).toThrow("at most 1024 bytes of JSON, got 1026")
  })

  test("two frames are reassembled from every split into three pieces", () => {
    const wire = concat([encodeFrame('{"a":1}'), encodeFrame(""), encodeFrame("zwei")])
    for (let first = 0; first <= wire.length; first++) {
      for (let second = first; second <= wire.length; second++) {
        const decoder = new FrameDecoder()
        const pieces = [wire.subarray(0, first), wire.subarray(first, second), wire.subarray(second)]
        expect(pieces.flatMap(piece => decoder.push(piece))).toEqual(['{"a":1}', "", "zwei"])
      }
    }
  })

  test("random frames are reassembled from random pieces", () => {
    fc.assert(
      fc.property(texts, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 }), (all, sizes) => {
        const wire = concat(all.map(encodeFrame))
        const decoder = new FrameDecoder()
        const read: string[] = []
        for (let offset = 0, i = 0; offset < wire.length; i++) {
          const size = sizes[i % sizes.length]!
          read.push(...decoder.push(wire.subarray(offset, offset + size)))
          offset += size
        }
        expect(read).toEqual(all)
      }),
      { numRuns: 300 },
    )
  })

  test("a length over the maximum is an error as soon as it is read", () => {
    const decoder = new FrameDecoder()
    expect(decoder.push(new Uint8Array([0, 0, 4]))).toEqual([])
    expect(() => decoder.push(new Uint8Array([1]))).toThrow(FrameError)
    expect(() => new FrameDecoder().push(new Uint8Array([0xff, 0xff, 0xff, 0xff]))).toThrow("4294967295 bytes")
  })

  test("invalid UTF-8 is decoded with replacement characters", () => {
    expect(new FrameDecoder().push(new Uint8Array([0, 0, 0, 1, 0xff]))).toEqual(["\ufffd"])
  })
})

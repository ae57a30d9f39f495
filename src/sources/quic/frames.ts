/**
 * Frames of `quantus-miner/2` (protocol §1): a length of four bytes, big-endian, then that many bytes of JSON. A frame
 * can arrive in several pieces, and a piece can contain several frames.
 */

/** Maximum number of bytes of JSON in one frame. */
export const MAX_FRAME_BYTES = 1024

const LENGTH_BYTES = 4

/** A frame announced more than `MAX_FRAME_BYTES`, so the rest of the stream cannot be decoded. */
export class FrameError extends Error {
  override readonly name = "FrameError"
}

/** @throws RangeError over `MAX_FRAME_BYTES` */
export function encodeFrame(json: string): Uint8Array {
  const body = encoder.encode(json)
  if (body.length > MAX_FRAME_BYTES) {
    throw new RangeError(`frame: expected at most ${MAX_FRAME_BYTES} bytes of JSON, got ${body.length}`)
  }
  const frame = new Uint8Array(LENGTH_BYTES + body.length)
  new DataView(frame.buffer).setUint32(0, body.length)
  frame.set(body, LENGTH_BYTES)
  return frame
}

/** Reassembles frames, in a buffer for one frame. */
export class FrameDecoder {
  readonly #buffer = new Uint8Array(LENGTH_BYTES + MAX_FRAME_BYTES)
  readonly #view = new DataView(this.#buffer.buffer)
  #filled = 0

  /**
   * Takes the next bytes of the stream.
   * @returns the JSON of each frame that they complete
   * @throws FrameError at a length over the maximum; nothing after it can be decoded
   */
  push(bytes: Uint8Array): string[] {
    const frames: string[] = []
    for (let offset = 0; offset < bytes.length; ) {
      const piece = bytes.subarray(offset, offset + this.#wanted() - this.#filled)
      this.#buffer.set(piece, this.#filled)
      this.#filled += piece.length
      offset += piece.length
      if (this.#filled < this.#wanted()) continue
      frames.push(decoder.decode(this.#buffer.subarray(LENGTH_BYTES, this.#filled)))
      this.#filled = 0
    }
    return frames
  }

  /** Number of bytes of the frame that the next step needs: those of its length, then the whole frame. */
  #wanted(): number {
    if (this.#filled < LENGTH_BYTES) return LENGTH_BYTES
    const length = this.#view.getUint32(0)
    if (length > MAX_FRAME_BYTES) {
      throw new FrameError(`a frame of ${length} bytes was announced; the maximum is ${MAX_FRAME_BYTES}`)
    }
    return LENGTH_BYTES + length
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

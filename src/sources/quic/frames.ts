/**
 * Frames of `quantus-miner/2` (protocol §1): four bytes, big-endian, that count the bytes of JSON after them. A frame
 * can arrive in any number of pieces, and a piece can hold any number of frames.
 */

/** Most bytes of JSON in one frame. */
export const MAX_FRAME_BYTES = 1024

const LENGTH_BYTES = 4

/** A frame that announces more than `MAX_FRAME_BYTES`: what follows can no longer be told apart. */
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

/** Puts frames together again, in memory for one of them. */
export class FrameDecoder {
  readonly #buffer = new Uint8Array(LENGTH_BYTES + MAX_FRAME_BYTES)
  readonly #view = new DataView(this.#buffer.buffer)
  #filled = 0

  /**
   * Takes the next bytes of the stream.
   * @returns the JSON of each frame that they complete
   * @throws FrameError at a length over the limit; nothing can be decoded after it
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

  /** Bytes of the frame that must be there before the next decision: its length, then all of it. */
  #wanted(): number {
    if (this.#filled < LENGTH_BYTES) return LENGTH_BYTES
    const length = this.#view.getUint32(0)
    if (length > MAX_FRAME_BYTES) {
      throw new FrameError(`a frame of ${length} bytes was announced, at most ${MAX_FRAME_BYTES} are allowed`)
    }
    return LENGTH_BYTES + length
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

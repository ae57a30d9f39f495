/** Nonces of one job that are remembered; the oldest are forgotten first. */
const MEMORY = 16_384

/** Remembers what was sent for a job, so that nothing is sent twice. */
export class SentNonces {
  readonly #sent = new Set<string>()

  has(nonce: Uint8Array): boolean {
    return this.#sent.has(nonce.toHex())
  }

  add(nonce: Uint8Array): void {
    this.#sent.add(nonce.toHex())
    if (this.#sent.size > MEMORY) this.#sent.delete(this.#sent.values().next().value!)
  }
}

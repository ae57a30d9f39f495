/** Maximum number of nonces remembered per job; the oldest are forgotten first. */
const MAX_SENT = 16_384

/** Remembers the nonces sent for a job, so that none is sent twice. */
export class SentNonces {
  readonly #sent = new Set<string>()

  has(nonce: Uint8Array): boolean {
    return this.#sent.has(nonce.toHex())
  }

  add(nonce: Uint8Array): void {
    this.#sent.add(nonce.toHex())
    if (this.#sent.size > MAX_SENT) this.#sent.delete(this.#sent.values().next().value!)
  }
}

/** Reads a Mach-O signature as the kernel does, apart from the code that writes it: hashes of pages and of blobs. */
export interface SignatureReport {
  readonly identifier: string
  readonly flags: number
  readonly pages: number
  readonly wrongPages: number
  readonly wrongBlobs: number
  /** Whether the signature, __LINKEDIT and the file end together. */
  readonly endsTogether: boolean
}

const hashOf = (bytes: Buffer): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

export function readSignature(file: Buffer): SignatureReport {
  let [start, size, linkEditEnd] = [0, 0, 0]
  for (let i = 0, at = 32; i < file.readUInt32LE(16); i++, at += file.readUInt32LE(at + 4)) {
    const command = file.readUInt32LE(at)
    if (command === 0x1d) [start, size] = [file.readUInt32LE(at + 8), file.readUInt32LE(at + 12)]
    if (command === 0x19 && file.toString("latin1", at + 8, at + 18) === "__LINKEDIT")
      linkEditEnd = Number(file.readBigUInt64LE(at + 40) + file.readBigUInt64LE(at + 48))
  }
  const signature = file.subarray(start, start + size)
  const blobs = new Map<number, Buffer>()
  for (let i = 0; i < signature.readUInt32BE(8); i++) {
    const at = signature.readUInt32BE(16 + 8 * i)
    blobs.set(signature.readUInt32BE(12 + 8 * i), signature.subarray(at, at + signature.readUInt32BE(at + 4)))
  }
  const directory = blobs.get(0)!
  const [hashes, identifier, special, pages, limit] = [16, 20, 24, 28, 32].map(at => directory.readUInt32BE(at)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const slot = (n: number) => directory.subarray(hashes + 32 * n, hashes + 32 * (n + 1)).toString("hex")
  const pageBytes = 1 << directory[39]!
  let wrongPages = limit === start ? 0 : 1
  for (let page = 0; page < pages; page++)
    if (hashOf(file.subarray(page * pageBytes, Math.min(limit, (page + 1) * pageBytes))) !== slot(page)) wrongPages++
  let wrongBlobs = 0
  for (let n = 1; n <= special; n++) {
    const blob = blobs.get(n)
    if (slot(-n) !== (blob ? hashOf(blob) : "0".repeat(64))) wrongBlobs++
  }
  return {
    identifier: directory.toString("latin1", identifier, directory.indexOf(0, identifier)),
    flags: directory.readUInt32BE(12),
    pages,
    wrongPages,
    wrongBlobs,
    endsTogether: start + size === file.length && linkEditEnd === file.length,
  }
}

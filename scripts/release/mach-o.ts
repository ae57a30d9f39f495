/**
 * Ad-hoc signatures of Mach-O executables. macOS hashes every page as it is loaded and ends a process whose page differs
 * from the signature's hash. The runtime for x64 keeps its vendor's signature, which the embedded program invalidates.
 *
 * Source: Apple's `cs_blobs.h` (signature, big-endian) and `loader.h` (load commands, little-endian).
 */
import { createHash } from "node:crypto"

const MH_MAGIC_64 = 0xfeedfacf
const HEADER_BYTES = 32
const LC_SEGMENT_64 = 0x19
const LC_CODE_SIGNATURE = 0x1d

const SUPER_BLOB = 0xfade0cc0
const CODE_DIRECTORY = 0xfade0c02
const REQUIREMENTS = 0xfade0c01
/** With the extent of the executable segment. */
const VERSION = 0x20400
const DIRECTORY_BYTES = 88
const ADHOC = 2
const SHA256 = 2
const HASH_BYTES = 32
const MAIN_BINARY = 1n

/** Slots of the super blob. A blob of slot n has its hash n places before the first page's. */
const Slot = { directory: 0, requirements: 2, entitlements: 5, derEntitlements: 7 } as const

interface Segment {
  /** Offset of its load command. */
  readonly command: number
  readonly name: string
  readonly memorySize: number
  readonly fileOffset: number
  readonly fileSize: number
}

/**
 * Replaces the signature at the end of a signed executable by an ad-hoc one with the same entitlements.
 * @returns a new file
 * @throws where the file is not a 64-bit Mach-O executable that ends with a signature
 */
export function signAdHoc(signed: Uint8Array, identifier: string): Uint8Array {
  const { signatureCommand, segments } = loadCommands(viewOf(signed))
  const codeLimit = viewOf(signed).getUint32(signatureCommand + 8, true)
  const old = signed.subarray(codeLimit)
  const pageShift = old[directoryOffset(old) + 39]!
  const blobs = new Map<number, Uint8Array>([[Slot.requirements, emptyRequirements()]])
  for (const slot of [Slot.entitlements, Slot.derEntitlements]) {
    const blob = blobOf(old, slot)
    if (blob) blobs.set(slot, blob)
  }
  const pages = Math.ceil(codeLimit / 2 ** pageShift)
  const hashOffset = DIRECTORY_BYTES + identifier.length + 1 + Slot.derEntitlements * HASH_BYTES
  const directory = new Uint8Array(hashOffset + pages * HASH_BYTES)
  const size = superBlob(new Map([[Slot.directory, directory], ...blobs])).length

  const text = segments.find(({ name }) => name === "__TEXT")
  const linkEdit = segments.at(-1)
  if (!text || linkEdit?.name !== "__LINKEDIT")
    throw new Error("__TEXT is missing, or __LINKEDIT is not the last segment")
  const file = new Uint8Array(codeLimit + size)
  file.set(signed.subarray(0, codeLimit))
  // The load commands are part of the first page, so they change before it is hashed.
  const view = viewOf(file)
  view.setUint32(signatureCommand + 12, size, true)
  const linkEditSize = file.length - linkEdit.fileOffset
  if (linkEditSize > linkEdit.memorySize) {
    const page = 2 ** 14
    view.setBigUint64(linkEdit.command + 32, BigInt(Math.ceil(linkEditSize / page) * page), true)
  }
  view.setBigUint64(linkEdit.command + 48, BigInt(linkEditSize), true)

  const fields = viewOf(directory)
  const head = [CODE_DIRECTORY, directory.length, VERSION, ADHOC, hashOffset, DIRECTORY_BYTES, Slot.derEntitlements]
  for (const [i, value] of [...head, pages, codeLimit].entries()) fields.setUint32(4 * i, value)
  directory.set([HASH_BYTES, SHA256, 0, pageShift], 36)
  fields.setBigUint64(72, BigInt(text.fileSize))
  fields.setBigUint64(80, MAIN_BINARY)
  directory.set(Buffer.from(identifier), DIRECTORY_BYTES)
  for (const [slot, blob] of blobs) directory.set(sha256(blob), hashOffset - slot * HASH_BYTES)
  for (let page = 0; page < pages; page++) {
    const bytes = file.subarray(page * 2 ** pageShift, Math.min((page + 1) * 2 ** pageShift, codeLimit))
    directory.set(sha256(bytes), hashOffset + page * HASH_BYTES)
  }
  file.set(superBlob(new Map([[Slot.directory, directory], ...blobs])), codeLimit)
  return file
}

function loadCommands(view: DataView): { signatureCommand: number; segments: Segment[] } {
  if (view.getUint32(0, true) !== MH_MAGIC_64) throw new Error("not a 64-bit Mach-O file")
  const segments: Segment[] = []
  let signatureCommand: number | undefined
  let at = HEADER_BYTES
  for (let i = 0; i < view.getUint32(16, true); i++) {
    const kind = view.getUint32(at, true)
    if (kind === LC_CODE_SIGNATURE) signatureCommand = at
    if (kind === LC_SEGMENT_64) {
      const number = (offset: number) => Number(view.getBigUint64(at + offset, true))
      const name = Buffer.from(view.buffer, view.byteOffset + at + 8, 16)
        .toString("latin1")
        .replace(/\0+$/, "")
      segments.push({ command: at, name, memorySize: number(32), fileOffset: number(40), fileSize: number(48) })
    }
    at += view.getUint32(at + 4, true)
  }
  if (signatureCommand === undefined) throw new Error("the file has no signature")
  return { signatureCommand, segments }
}

function blobOf(signature: Uint8Array, wanted: number): Uint8Array | undefined {
  const view = viewOf(signature)
  if (view.getUint32(0) !== SUPER_BLOB) throw new Error("the signature is not a super blob")
  for (let i = 0; i < view.getUint32(8); i++) {
    if (view.getUint32(12 + 8 * i) !== wanted) continue
    const at = view.getUint32(16 + 8 * i)
    return signature.subarray(at, at + view.getUint32(at + 4))
  }
  return undefined
}

function directoryOffset(signature: Uint8Array): number {
  const directory = blobOf(signature, Slot.directory)
  if (!directory) throw new Error("the signature has no code directory")
  return directory.byteOffset - signature.byteOffset
}

function superBlob(blobs: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const headBytes = 12 + 8 * blobs.size
  const total = [...blobs.values()].reduce((sum, { length }) => sum + length, headBytes)
  const bytes = new Uint8Array(total)
  const view = viewOf(bytes)
  view.setUint32(0, SUPER_BLOB)
  view.setUint32(4, total)
  view.setUint32(8, blobs.size)
  let at = headBytes
  for (const [i, [slot, blob]] of [...blobs].entries()) {
    view.setUint32(12 + 8 * i, slot)
    view.setUint32(16 + 8 * i, at)
    bytes.set(blob, at)
    at += blob.length
  }
  return bytes
}

function emptyRequirements(): Uint8Array {
  const bytes = new Uint8Array(12)
  viewOf(bytes).setUint32(0, REQUIREMENTS)
  viewOf(bytes).setUint32(4, bytes.length)
  return bytes
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest()

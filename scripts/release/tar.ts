/** Tar archives (POSIX ustar) whose bytes depend on nothing but names, modes, contents and one time. */

export interface ArchiveEntry {
  /** Relative, at most 100 bytes. */
  readonly path: string
  readonly bytes: Uint8Array
  readonly mode: number
  /** A directory, whose path ends with a slash. */
  readonly directory?: boolean
  /** Numeric owner and group; 0 by default. */
  readonly owner?: number
}

const BLOCK = 512

/** @param time modification time of every entry, in Unix seconds */
export function writeTar(entries: readonly ArchiveEntry[], time: number): Uint8Array {
  const parts = entries.flatMap(entry => [
    header(entry, time),
    entry.bytes,
    new Uint8Array(padding(entry.bytes.length)),
  ])
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK)])
}

/** The regular files of a ustar archive. */
export function readTar(tar: Uint8Array): ArchiveEntry[] {
  const entries: ArchiveEntry[] = []
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const text = (offset: number, length: number) =>
      Buffer.from(tar.subarray(at + offset, at + offset + length))
        .toString("latin1")
        .replace(/\0.*$/s, "")
    const [name, prefix, size] = [text(0, 100), text(345, 155), Number.parseInt(text(124, 12), 8)]
    const start = at + BLOCK
    if (text(156, 1) === "0" || text(156, 1) === "")
      entries.push({
        path: prefix ? `${prefix}/${name}` : name,
        bytes: tar.subarray(start, start + size),
        mode: Number.parseInt(text(100, 8), 8),
      })
    at = start + size + padding(size)
  }
  return entries
}

function header({ path, bytes, mode, directory = false, owner = 0 }: ArchiveEntry, time: number): Uint8Array {
  if (Buffer.byteLength(path) > 100) throw new Error(`${path} is too long for a tar archive`)
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`
  block.write(path, 0)
  block.write(octal(mode, 7), 100)
  block.write(octal(owner, 7) + octal(owner, 7), 108)
  block.write(octal(bytes.length, 11) + octal(time, 11), 124)
  // The checksum counts its own field as blanks.
  block.write(`        ${directory ? 5 : 0}`, 148)
  block.write("ustar\x0000", 257)
  if (owner === 0) {
    block.write("root", 265)
    block.write("root", 297)
  }
  block.write(
    `${octal(
      block.reduce((sum, byte) => sum + byte),
      6,
    )} `,
    148,
  )
  return block
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK

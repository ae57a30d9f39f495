/** Zip archives whose bytes depend on nothing but names, modes, contents and one time. */
import { crc32, deflateRawSync } from "node:zlib"
import type { ArchiveEntry } from "./tar.ts"

const VERSION_NEEDED = 20
const MADE_BY_UNIX = 0x0314
const DEFLATE = 8
const REGULAR_FILE = 0o100000

/** @param time modification time of every entry, in Unix seconds (from 1980) */
export function writeZip(entries: readonly ArchiveEntry[], time: number): Uint8Array {
  const local: Uint8Array[] = []
  const central: Uint8Array[] = []
  let offset = 0
  for (const { path, bytes, mode } of entries) {
    const name = Buffer.from(path)
    const packed = deflateRawSync(bytes, { level: 9 })
    // What both headers share: version, flags, method, time, date, checksum, sizes, lengths of name and extra field.
    const common = Buffer.alloc(26)
    common.writeUInt16LE(VERSION_NEEDED, 0)
    common.writeUInt16LE(DEFLATE, 4)
    common.writeUInt32LE(dosTime(time), 6)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(name.length, 22)
    const file = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(((REGULAR_FILE | mode) << 16) >>> 0, 6)
    rest.writeUInt32LE(offset, 10)
    const madeBy = Buffer.alloc(2)
    madeBy.writeUInt16LE(MADE_BY_UNIX, 0)
    central.push(Buffer.concat([Buffer.from("PK\x01\x02"), madeBy, common, rest, name]))
    local.push(file)
    offset += file.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(22)
  end.write("PK\x05\x06", 0, "latin1")
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...local, directory, end])
}

/** MS-DOS time in the low half, date in the high one, in UTC and steps of two seconds. */
function dosTime(seconds: number): number {
  const at = new Date(seconds * 1000)
  const date = ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate()
  const clock = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1)
  return ((date << 16) | clock) >>> 0
}

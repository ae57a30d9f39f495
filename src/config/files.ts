/** The file system access that configuration needs, behind an interface that tests replace. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"

export interface Files {
  /** UTF-8 text without a byte order mark. @throws Node's error with its `code` if the file cannot be read */
  read(path: string): string
  /** Permission bits; those of a private file if the system's modes say nothing about access. @throws as `read` */
  mode(path: string): number
  /** Whether the file is on a read-only mount, where its mode cannot be changed. */
  isReadOnly(path: string): boolean
  /** Whether the file can be read more than once; false for a pipe. @throws as `read` */
  isRereadable(path: string): boolean
  /** False if this user cannot look. */
  isDirectory(path: string): boolean
  /** Names in a directory, sorted; empty if it cannot be read. */
  list(directory: string): string[]
}

export const systemFiles: Files = {
  read: readAtMost,
  mode: path => (host.hasFileModes ? statSync(path).mode & 0o777 : 0o600),
  isReadOnly: path => host.isOnReadOnlyMount(path),
  isRereadable: path => statSync(path).isFile(),
  isDirectory(path) {
    try {
      return statSync(path).isDirectory()
    } catch {
      return false
    }
  },
  list(directory) {
    try {
      return readdirSync(directory).sort()
    } catch {
      return []
    }
  },
}

/** Maximum file size in bytes: far above any configuration, and a bound for `/dev/zero`. */
const MAX_BYTES = 2 ** 20

function readAtMost(path: string): string {
  const descriptor = openSync(path, "r")
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1)
    let length = 0
    let read: number
    do length += read = readSync(descriptor, bytes, length, bytes.length - length, null)
    while (read > 0)
    if (length > MAX_BYTES) throw Object.assign(new Error(`${path} is too large`), { code: "EFBIG" })
    const content = bytes.subarray(0, length)
    if (isUtf16(content)) throw Object.assign(new Error(`${path} is UTF-16`), { code: UTF16 })
    return content.toString("utf8").replace(/^\uFEFF/, "")
  } finally {
    closeSync(descriptor)
  }
}

/** Error `code` for a UTF-16 file, as Windows editors and PowerShell's `>` write it. */
const UTF16 = "EUTF16"

/** Whether content starts with a UTF-16 byte order mark, or with an ASCII character in UTF-16. */
function isUtf16(content: Buffer): boolean {
  const [first, second] = content
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true
  return content.length >= 2 && (first === 0) !== (second === 0)
}

/** Why a file could not be read, phrased to follow its name: "does not exist". Undefined for other errors. */
export function fileProblem(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  if (typeof code !== "string") return
  const known: Record<string, string> = {
    ENOENT: "does not exist",
    ENOTDIR: "does not exist",
    EACCES: "cannot be read by this user",
    EPERM: "cannot be read by this user",
    EISDIR: "is a directory",
    EFBIG: "is too large",
    [UTF16]: "is UTF-16 text: save it as UTF-8",
  }
  return known[code] ?? `cannot be read (${code})`
}

/** The text of a file that an option names. @throws OperatorError (config) with the option and the problem */
export function readGivenFile(path: string, origin: string, files: Files): string {
  try {
    return files.read(path)
  } catch (error) {
    const problem = fileProblem(error)
    if (problem === undefined) throw error
    throw new OperatorError(`${origin}: ${path} ${problem}`, ExitCode.config)
  }
}

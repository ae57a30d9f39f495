/** State that is kept between starts: one JSON object per file, which a crash or a full disk never leaves half-written. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs"
import { dirname } from "node:path"

/** The conditions under which a value is valid; compared as JSON, whatever the order of its fields. */
export type StateKey = Readonly<Record<string, unknown>>

export type Loaded<Value> =
  | { readonly kind: "valid"; readonly value: Value }
  | { readonly kind: "absent" }
  /** Not usable: it is unreadable, damaged, or was made under other conditions. `why` follows the file's name. */
  | { readonly kind: "refused"; readonly why: string }

export interface StateFileOptions<Value> {
  readonly path: string
  /** The name of the value's field. */
  readonly field: string
  readonly key: StateKey
  /** Checks a value that may have been edited or damaged. */
  readonly isValue: (value: unknown) => value is Value
}

export function loadState<Value>({ path, field, key, isValue }: StateFileOptions<Value>): Loaded<Value> {
  const text = read(path)
  if (typeof text === "object") return text
  let state: Record<string, unknown>
  try {
    const parsed: unknown = JSON.parse(text)
    state = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Record<string, unknown>
  } catch {
    return { kind: "refused", why: "is damaged" }
  }
  if (!isRecord(state["key"])) return { kind: "refused", why: "is damaged" }
  const other = differenceOf(state["key"], key)
  if (other !== undefined) return { kind: "refused", why: `was made with a different value of ${other}` }
  const value = state[field]
  return isValue(value) ? { kind: "valid", value } : { kind: "refused", why: "is damaged" }
}

/**
 * Writes a temporary file beside `path`, flushes it to the disk and renames it; creates missing directories.
 * @throws Node's error if the file cannot be written
 */
export function saveState(path: string, field: string, key: StateKey, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  try {
    const file = openSync(temporary, "w", 0o644)
    try {
      writeSync(file, `${JSON.stringify({ key, [field]: value }, undefined, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    removeState(temporary)
    throw error
  }
}

function read(path: string): string | Loaded<never> {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const { code } = error as { code?: string }
    return code === "ENOENT" || code === "ENOTDIR"
      ? { kind: "absent" }
      : { kind: "refused", why: `cannot be read (${code})` }
  }
}

/** The first field in which two keys differ, as words. */
function differenceOf(saved: StateKey, now: StateKey): string | undefined {
  const fields = [...new Set([...Object.keys(now), ...Object.keys(saved)])]
  const different = fields.find(field => !Bun.deepEquals(plain(saved[field]), plain(now[field])))
  return different?.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}

/** A value as JSON keeps it. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

const isRecord = (value: unknown): value is StateKey =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Removes a state file, if it exists and can be removed. */
export function removeState(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // Nothing of it can be used; the next start tries again.
  }
}

/** What a route answers. */
export interface Answer {
  /** Default: 200. */
  readonly status?: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One line of plain text. */
export function plain(status: number, line: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${line}\n` }
}

/** A value as JSON. BigInts become decimal strings, because JSON parsers round large integers. */
export function json(value: unknown, status = 200): Answer {
  const body = JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part))
  return { status, type: "application/json", body }
}

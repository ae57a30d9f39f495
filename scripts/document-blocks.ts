/** Generated blocks of a document: the text between two markers is replaced, the rest is kept. */

/**
 * @param name the name of the block: `options` for `<!-- options -->` … `<!-- /options -->`
 * @throws Error unless `text` has both markers, in order
 */
export function fillBlock(text: string, name: string, body: string): string {
  const [startMarker, endMarker] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const start = text.indexOf(startMarker)
  const end = text.indexOf(endMarker, start)
  if (start < 0 || end < 0) throw new Error(`no ${startMarker} … ${endMarker}`)
  return `${text.slice(0, start)}${startMarker}\n\n${body}\n\n${text.slice(end)}`
}

/** Whether `text` has a block of this name. */
export const hasBlock = (text: string, name: string): boolean => text.includes(`<!-- ${name} -->`)

/** A Markdown table; vertical bars in cells are escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll("|", "\\|")).join(" | ")} |`
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")
}

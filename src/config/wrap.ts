/**
 * Wraps long lines of two-column text; continuation lines are indented to the second column.
 * @param columns the maximum width, exceeded only by a longer word
 */
export function wrapColumns(text: string, columns: number): string {
  return text
    .split("\n")
    .map(line => wrapLine(line.trimEnd(), columns))
    .join("\n")
}

function wrapLine(line: string, columns: number): string {
  if (Bun.stringWidth(line) <= columns) return line
  // The second column follows the first gap of two or more spaces.
  const first = /^ *\S+(?: \S+)* {2,}/.exec(line)?.[0] ?? ""
  const indent = " ".repeat(Bun.stringWidth(first))
  const lines: string[] = []
  let current = first
  for (const word of line.slice(first.length).split(" ")) {
    const fresh = current.trim() === "" || current === first
    const longer = fresh ? current + word : `${current} ${word}`
    if (!fresh && Bun.stringWidth(longer) > columns) {
      lines.push(current)
      current = indent + word
    } else current = longer
  }
  return [...lines, current].join("\n")
}

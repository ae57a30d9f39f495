/** A file's text; undefined if the file is absent or unreadable. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await Bun.file(path).text()
  } catch {
    return undefined
  }
}

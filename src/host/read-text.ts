/** A file's text, or undefined when there is no such file or it cannot be read, as for /proc and /sys elsewhere. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await Bun.file(path).text()
  } catch {
    return undefined
  }
}

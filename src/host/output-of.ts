/**
 * What a program of the system prints on standard output, trimmed; undefined if it is absent, fails, or takes longer than
 * `timeoutMs`.
 */
export async function outputOf(command: readonly [string, ...string[]], timeoutMs = 5000): Promise<string | undefined> {
  if (Bun.which(command[0]) === null) return undefined
  try {
    const { stdout, exited } = Bun.spawn([...command], { stdin: "ignore", stderr: "ignore", timeout: timeoutMs })
    const text = await new Response(stdout).text()
    return (await exited) === 0 ? text.trim() : undefined
  } catch {
    // The system may refuse another process or descriptor.
    return undefined
  }
}

/** How long the users of this machine have been inactive, from systemd-logind (org.freedesktop.login1(5)). */
const MANAGER = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"]

/** Seconds since the last input of any user; undefined without logind. */
export async function idleSeconds(): Promise<number | undefined> {
  const busctl = Bun.which("busctl")
  if (busctl === null) return undefined
  const { stdout, exited } = Bun.spawn([busctl, "--system", "get-property", ...MANAGER, "IdleHint", "IdleSinceHint"], {
    stdin: "ignore",
    stderr: "ignore",
    timeout: 2000,
  })
  const text = await new Response(stdout).text()
  return (await exited) === 0 ? idleSecondsIn(text, Date.now()) : undefined
}

/**
 * @param text busctl's answer: `b true` and `t 1700000000000000`, the time in microseconds since 1970
 * @param now milliseconds since 1970
 */
export function idleSecondsIn(text: string, now: number): number | undefined {
  const [, hint, since] = /^b (true|false)\s+t (\d+)/.exec(text.trim()) ?? []
  if (hint === undefined) return undefined
  return hint === "true" ? Math.max(0, now / 1000 - Number(since) / 1e6) : 0
}

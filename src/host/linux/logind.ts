/** How long the users of this machine have been inactive, from systemd-logind (org.freedesktop.login1(5)). */
import { outputOf } from "../output-of.ts"

const MANAGER = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"]

/** Seconds since the last input of any user; undefined without logind. */
export async function idleSeconds(): Promise<number | undefined> {
  const command = ["busctl", "--system", "get-property", ...MANAGER, "IdleHint", "IdleSinceHint"] as const
  const text = await outputOf(command, 2000)
  return text === undefined ? undefined : idleSecondsIn(text, Date.now())
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

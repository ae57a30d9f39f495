/** Input activity and power source on macOS, read by the system's own programs. */
import { outputOf } from "../output-of.ts"

/** Seconds since the last keyboard or mouse event. */
export async function idleSeconds(): Promise<number | undefined> {
  return idleSecondsIn((await outputOf(["/usr/sbin/ioreg", "-c", "IOHIDSystem", "-d", "4"], 2000)) ?? "")
}

/** Whether the machine runs on battery; undefined without a battery. */
export async function isOnBattery(): Promise<boolean | undefined> {
  return isOnBatteryIn((await outputOf(["/usr/bin/pmset", "-g", "batt"], 2000)) ?? "")
}

/** @param text of ioreg: `"HIDIdleTime" = 1234567890`, nanoseconds */
export function idleSecondsIn(text: string): number | undefined {
  const [, nanoseconds] = /"HIDIdleTime" = (\d+)/.exec(text) ?? []
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e9
}

/** @param text of pmset: `Now drawing from 'Battery Power'`, and a line for each battery */
export function isOnBatteryIn(text: string): boolean | undefined {
  if (!/Battery-\d/.test(text)) return undefined
  return /drawing from 'Battery Power'/.test(text)
}

/** Whether this process is in the foreground process group of its terminal. */
export function isInForeground(): boolean {
  const { stdout } = Bun.spawnSync(["/bin/ps", "-o", "pgid=,tpgid=", "-p", String(process.pid)])
  const [group, foreground] = stdout.toString().trim().split(/\s+/)
  return group === foreground
}

/** Input activity and power source on Windows. */
import { openLibrary } from "./libraries.ts"

/** SYSTEM_POWER_STATUS: ACLineStatus and BatteryFlag are its first two bytes. */
const POWER_STATUS_BYTES = 12
const NO_BATTERY = 128
const UNKNOWN = 255
/** LASTINPUTINFO: its size, then the tick of the last input. */
const LAST_INPUT_BYTES = 8

/** Whether the machine runs on battery; undefined without a battery. */
export async function isOnBattery(): Promise<boolean | undefined> {
  try {
    const status = new Uint8Array(POWER_STATUS_BYTES)
    const { symbols } = openLibrary("kernel32.dll", { GetSystemPowerStatus: { args: ["ptr"], returns: "i32" } })
    if (symbols.GetSystemPowerStatus(status) === 0) return undefined
    const [line = UNKNOWN, battery = UNKNOWN] = status
    if (line === UNKNOWN || battery === UNKNOWN || (battery & NO_BATTERY) !== 0) return undefined
    return line === 0
  } catch {
    return undefined
  }
}

/** Seconds since the session's last input; undefined if the system does not report it. */
export async function idleSeconds(): Promise<number | undefined> {
  try {
    const info = new Uint32Array([LAST_INPUT_BYTES, 0])
    const user = openLibrary("user32.dll", { GetLastInputInfo: { args: ["ptr"], returns: "i32" } })
    if (user.symbols.GetLastInputInfo(info) === 0) return undefined
    const kernel = openLibrary("kernel32.dll", { GetTickCount: { args: [], returns: "u32" } })
    // Both count milliseconds modulo 2^32.
    return ((kernel.symbols.GetTickCount() - info[1]!) >>> 0) / 1000
  } catch {
    return undefined
  }
}

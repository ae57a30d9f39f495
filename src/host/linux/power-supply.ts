/** Power supplies in sysfs (`Documentation/ABI/testing/sysfs-class-power`). */
import { join } from "node:path"
import { entriesOf, textOf } from "./sysfs.ts"

/**
 * Whether the machine runs on battery; undefined without a battery.
 * @param root the directory that contains `sys`: `/` outside tests
 */
export function isOnBattery(root = "/"): boolean | undefined {
  const supplies = readSupplies(join(root, "sys/class/power_supply"))
  const batteries = supplies.filter(({ type, scope }) => type === "Battery" && scope !== "Device")
  if (batteries.length === 0) return undefined
  // The batteries of mice and the like have the scope `Device`; a dock or a USB-C charger is a mains supply too.
  const mains = supplies.filter(({ type }) => type === "Mains" || type === "USB" || type === "Wireless")
  if (mains.some(({ online }) => online)) return false
  return batteries.some(({ status }) => status === "Discharging") || mains.length > 0
}

interface Supply {
  readonly type: string
  readonly scope: string
  readonly status: string
  readonly online: boolean
}

function readSupplies(directory: string): Supply[] {
  return entriesOf(directory).map(name => {
    const value = (file: string) => textOf(join(directory, name, file))
    return { type: value("type"), scope: value("scope"), status: value("status"), online: value("online") === "1" }
  })
}

/** Energy counters of CPU packages in sysfs (`Documentation/power/powercap/powercap.rst`), RAPL on Intel and AMD. */
import { join } from "node:path"
import { entriesOf, textOf } from "./sysfs.ts"

/** The directory of the counters, for messages. */
export const POWERCAP = "sys/class/powercap"

/**
 * One entry per package with its counter in microjoules and the value at which it starts again; none if a counter cannot
 * be read, so that a part of the power is never shown as the whole.
 * @param root the directory that contains `sys`: `/` outside tests
 */
export function packageEnergy(root = "/"): { microjoules: number; range: number }[] {
  const directory = join(root, POWERCAP)
  const packages = entriesOf(directory)
    .filter(zone => /^intel-rapl:\d+$/.test(zone))
    .map(zone => join(directory, zone))
    .filter(zone => textOf(join(zone, "name")).startsWith("package-"))
  const counters = packages.map(zone => ({
    microjoules: Number.parseInt(textOf(join(zone, "energy_uj")), 10),
    range: Number.parseInt(textOf(join(zone, "max_energy_range_uj")), 10),
  }))
  return counters.every(({ microjoules, range }) => microjoules >= 0 && range > 0) ? counters : []
}

/** Whether the system has counters, readable or not. */
export function hasPackageEnergy(root = "/"): boolean {
  return entriesOf(join(root, POWERCAP)).some(zone => /^intel-rapl:\d+$/.test(zone))
}

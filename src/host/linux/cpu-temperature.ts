/** The CPU's temperature from hwmon (`Documentation/hwmon/sysfs-interface`). */
import { join } from "node:path"
import { entriesOf, textOf } from "./sysfs.ts"

/** Drivers whose sensors are in the CPU: AMD, Intel, and those of boards such as the Raspberry Pi. */
const CPU_DRIVERS = ["k10temp", "zenpower", "coretemp", "cpu_thermal", "cpu-thermal", "soc_thermal"]

/**
 * The highest temperature of the CPU's sensors in degrees Celsius; undefined if none is readable.
 * @param root the directory that contains `sys`: `/` outside tests
 */
export function cpuTemperature(root = "/"): number | undefined {
  const directory = join(root, "sys/class/hwmon")
  const readings = entriesOf(directory)
    .map(name => join(directory, name))
    .filter(hwmon => CPU_DRIVERS.includes(textOf(join(hwmon, "name"))))
    .flatMap(hwmon =>
      entriesOf(hwmon)
        .filter(file => /^temp\d+_input$/.test(file))
        .map(file => textOf(join(hwmon, file))),
    )
    .map(text => Number.parseInt(text, 10) / 1000)
    .filter(celsius => celsius > -50 && celsius < 200)
  return readings.length > 0 ? Math.max(...readings) : undefined
}

/** Sensors of GPUs whose Linux driver has hwmon files in sysfs, such as `amdgpu`. */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { readText } from "../read-text.ts"
import type { SensorReading, SensorSource } from "../sensor-source.ts"

/**
 * Reads the hwmon files of a GPU by its PCI address. @param root the directory that contains `sys`: `/` outside tests
 */
export function hwmonSensors(root: string): SensorSource {
  return {
    async read(pci) {
      const directory = await hwmonOf(join(root, "sys/bus/pci/devices", pci, "hwmon"))
      return directory === undefined ? undefined : readHwmon(directory)
    },
    close() {},
  }
}

async function hwmonOf(directory: string): Promise<string | undefined> {
  const entries = await readdir(directory).catch(() => [])
  const name = entries.find(entry => entry.startsWith("hwmon"))
  return name === undefined ? undefined : join(directory, name)
}

/**
 * Reads a hwmon directory. Its files hold millidegrees Celsius, microwatts and hertz; the fan is a PWM value, 0 … 255.
 * Values that the driver does not report are undefined.
 */
async function readHwmon(directory: string): Promise<SensorReading> {
  const value = async (name: string, scale: number): Promise<number | undefined> => {
    const text = await readText(join(directory, name))
    const number = Number.parseInt(text ?? "", 10)
    return Number.isNaN(number) ? undefined : number * scale
  }
  const pwm = await value("pwm1", 100 / 255)
  return {
    temperatureCelsius: await value("temp1_input", 1e-3),
    fanPercent: pwm === undefined ? undefined : Math.round(pwm),
    powerWatts: (await value("power1_average", 1e-6)) ?? (await value("power1_input", 1e-6)),
    clockHertz: await value("freq1_input", 1),
    memoryClockHertz: await value("freq2_input", 1),
  }
}

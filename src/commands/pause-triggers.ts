/** The pause triggers that the settings select. */
import type { MiningSettings } from "../config/options.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import type { Platform } from "../host/platform.ts"
import type { Log } from "../log.ts"
import { aboveTemperature, onBattery, outsideSchedule, type PauseTrigger, whileActive } from "../pausing/triggers.ts"

export type PauseSettings = Pick<MiningSettings, "schedule" | "pauseOnBattery" | "pauseOnActive" | "cpuTempLimit">

type Readings = Pick<Platform, "isOnBattery" | "idleSeconds" | "cpuTemperature">

/** @throws OperatorError (config) if the system does not report what a trigger needs */
export async function pauseTriggers(settings: PauseSettings, host: Readings, log: Log): Promise<PauseTrigger[]> {
  const { schedule, pauseOnBattery, pauseOnActive, cpuTempLimit } = settings
  const triggers: PauseTrigger[] = []
  if (schedule) triggers.push(outsideSchedule(schedule))
  if (pauseOnBattery) {
    if ((await host.isOnBattery()) === undefined) log.info("--pause-on-battery: this machine has no battery")
    else triggers.push(onBattery(host.isOnBattery))
  }
  if (pauseOnActive !== undefined) {
    if ((await host.idleSeconds()) === undefined) {
      throw absent("--pause-on-active", "how long its user has been inactive (on Linux, systemd-logind does)")
    }
    triggers.push(whileActive(pauseOnActive, host.idleSeconds))
  }
  if (cpuTempLimit !== undefined) {
    if (host.cpuTemperature() === undefined) throw absent("--cpu-temp-limit", "its CPU's temperature")
    triggers.push(aboveTemperature(cpuTempLimit, host.cpuTemperature))
  }
  return triggers
}

function absent(option: string, what: string): OperatorError {
  return new OperatorError(`${option}: this system does not report ${what}; remove the option`, ExitCode.config)
}

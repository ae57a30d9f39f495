/** `benchmark`: measures the hash rate of the engines that `serve` would use and verifies every hit with the reference. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import type { Unit } from "../engines/engine.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { host } from "../host/host.ts"
import { CpuPower } from "../observe/cpu-power.ts"
import { formatCount, formatRate } from "../observe/units.ts"
import { type Measurement, measure } from "./measure.ts"
import { openEngines } from "./opened-engines.ts"
import { openOutput } from "./output.ts"
import { aborted, stopSignal } from "./stop-signal.ts"

export async function run({ settings, stateDir, notes }: Config<"benchmark">): Promise<void> {
  const stop = stopSignal()
  const { log, terminal } = openOutput(settings, notes)
  const opened = await openEngines({ settings, stateDir, clock, log })
  await Promise.race([opened.lateEngines(), aborted(stop)])
  await Promise.race([opened.calibrate(), aborted(stop)])
  const workers = opened.engines.flatMap(({ units }) => units).filter(({ kind }) => kind === "cpu").length
  const { count } = opened.cpus
  if (settings.cpuWorkers === undefined && workers < count) {
    log.info(`measuring ${workers} of ${count} CPUs, as serve would use them: --cpu-workers ${count} uses all`)
  }
  const power = new CpuPower(clock, host.packageEnergy)
  const watts: number[] = []
  const outcome = await measure({
    engines: opened.engines,
    replaceEngine: opened.replaceEngine.bind(opened),
    log,
    seconds: settings.duration,
    clock,
    stop,
    progress(seconds, rate) {
      power.sample()
      if (power.watts !== undefined) watts.push(power.watts)
      const line = `${seconds.toFixed(0)} s of ${settings.duration} s: ${formatRate(rate)}`
      if (terminal.interactive) terminal.setStatus(line)
      else log.info(line)
    },
  })
  terminal.setStatus("")
  const engine = outcome.engines.join("+")
  const cpuPowerWatts = watts.length > 0 ? watts.reduce((sum, value) => sum + value, 0) / watts.length : undefined
  if (settings.json && outcome.mismatches > 0) {
    // The failure is a field, so that standard output remains one JSON object.
    const error = mismatchText(outcome)
    console.log(
      JSON.stringify({
        ...summary(engine, opened.kernel, outcome, cpuPowerWatts),
        error,
        exit_code: ExitCode.selfTest,
      }),
    )
    log.error(error)
    process.exitCode = ExitCode.selfTest
    return
  }
  console.log(
    settings.json
      ? JSON.stringify(summary(engine, opened.kernel, outcome, cpuPowerWatts))
      : report(engine, outcome, cpuPowerWatts),
  )
  if (outcome.mismatches > 0) {
    throw new OperatorError(mismatchText(outcome), ExitCode.selfTest)
  }
}

const mismatchText = ({ mismatches }: Measurement): string =>
  `${mismatches} candidates failed verification; do not mine on this machine`

/** Hashes per second of the units of a kind. */
const rateOf = (kind: Unit["kind"], { units }: Measurement): number =>
  units.filter(unit => unit.kind === kind).reduce((sum, unit) => sum + unit.hashesPerSecond, 0)

/** The JSON result, with one rate per unit. Power and efficiency of the CPUs are null if the power cannot be read. */
function summary(
  engine: string,
  kernel: string | undefined,
  outcome: Measurement,
  cpuPowerWatts: number | undefined,
): object {
  const { seconds, hashes, hits, expectedHits, units } = outcome
  return {
    engine,
    /** The CPU kernel: its engine's name, or a variant of it such as `avx2:2`; joined by `+` if kinds of core differ. */
    kernel: kernel ?? null,
    workers: units.length,
    seconds,
    hashes,
    hashes_per_second: hashes / seconds,
    hits,
    expected_hits: expectedHits,
    cpu_power_watts: cpuPowerWatts ?? null,
    cpu_hashes_per_joule: cpuPowerWatts === undefined ? null : rateOf("cpu", outcome) / cpuPowerWatts,
    units: units.map(({ id, kind, hashesPerSecond }) => ({ id, kind, hashes_per_second: hashesPerSecond })),
  }
}

/** The text result. The last line matches the benchmark of the established miner; mixed CPUs and GPUs have totals. */
function report(engine: string, outcome: Measurement, cpuPowerWatts: number | undefined): string {
  const { seconds, hashes, hits, expectedHits, units } = outcome
  const kinds = new Set(units.map(({ kind }) => kind))
  const totals = [...kinds].map(kind => row(`${kind.toUpperCase()} total`, formatRate(rateOf(kind, outcome))))
  const power =
    cpuPowerWatts === undefined
      ? []
      : [
          row(
            "CPU power",
            `${cpuPowerWatts.toFixed(0)} W, ${formatRate(rateOf("cpu", outcome) / cpuPowerWatts)} per watt`,
          ),
        ]
  return [
    row("Engine", engine),
    row("Hashes", `${formatCount(hashes)} in ${seconds.toFixed(2)} s`),
    row("Hits", `${hits} verified, ${expectedHits.toFixed(1)} expected`),
    ...units.map(({ id, hashesPerSecond }) => row(id, formatRate(hashesPerSecond))),
    ...(kinds.size > 1 ? totals : []),
    ...power,
    `Average rate: ${formatRate(hashes / seconds)}`,
  ].join("\n")
}

const row = (name: string, value: string): string => `${name.padEnd(12)} ${value}`

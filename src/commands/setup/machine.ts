/** What `setup` finds on this machine: its GPUs, and the hash rate of its CPUs. */
import { systemClock as clock } from "../../clock.ts"
import { resolveConfig } from "../../config/config.ts"
import { systemFiles } from "../../config/files.ts"
import { findDevicesApart } from "../../engines/gpu/driver-process.ts"
import { host } from "../../host/host.ts"
import { formatRate } from "../../observe/units.ts"
import { measure } from "../measure.ts"
import { openEngines } from "../opened-engines.ts"
import { openOutput } from "../output.ts"

const MEASURE_SECONDS = 2

/** The GPUs with their indexes, as `--gpu-devices` counts them; empty if the drivers list none. */
export async function listGpus(): Promise<readonly string[]> {
  if (!host.mayHaveGpus()) return []
  const { devices, failures } = await findDevicesApart({ clock })
  return [
    ...devices.map(({ device: { name, api, pci } }, i) => `GPU ${i}: ${name} by ${api}${pci ? `, PCI ${pci}` : ""}`),
    ...failures.map(failure => `a GPU driver cannot be used: ${failure}`),
  ]
}

/**
 * Measures the CPUs by a configuration file and stores which engine is the fastest, as a first start would.
 * @returns `avx512 makes 3.9 MH/s`
 * @throws OperatorError if no engine can hash
 */
export async function measureCpus(config: string): Promise<string> {
  const args = ["--config", config, "--gpu-devices", "0"]
  const { settings, stateDir } = await resolveConfig("benchmark", args, process.env, systemFiles)
  const { log } = openOutput({ logFormat: "pretty", verbose: false, quiet: true })
  const opened = await openEngines({ settings, stateDir, clock, log })
  await opened.calibrate()
  const { seconds, hashes, engines } = await measure({
    engines: opened.engines,
    replaceEngine: opened.replaceEngine.bind(opened),
    log,
    seconds: MEASURE_SECONDS,
    clock,
    stop: new AbortController().signal,
    progress() {},
  })
  return `${engines.join("+")} makes ${formatRate(hashes / seconds)}`
}

/** Which of the listed GPUs are mined on. */
import { ExitCode, OperatorError } from "../../errors.ts"
import type { FoundDevice } from "./find-devices.ts"

/** All GPUs, the first `count`, or a list of indexes and PCI addresses (`0000:01:00.0`). */
export type DeviceSelection =
  | { readonly kind: "all" }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "list"; readonly devices: readonly (number | string)[] }

/**
 * Integrated GPUs are left out beside a discrete one, unless they are allowed or named.
 * @throws OperatorError (config) if a named device is absent or `count` exceeds the number of GPUs
 */
export function selectDevices(
  found: readonly FoundDevice[],
  selection: DeviceSelection,
  allowIntegrated: boolean,
): FoundDevice[] {
  if (selection.kind === "list") return [...new Set(selection.devices.map(name => named(found, name)))]
  const discrete = found.filter(({ device }) => !device.integrated)
  const offered = allowIntegrated || discrete.length === 0 ? [...found] : discrete
  if (selection.kind === "all") return offered
  if (selection.count > offered.length) {
    throw new OperatorError(
      `--gpu-devices ${selection.count} is more than there are: ${offered.length}; quantus-miner devices lists them`,
      ExitCode.config,
    )
  }
  return offered.slice(0, selection.count)
}

function named(found: readonly FoundDevice[], name: number | string): FoundDevice {
  const device = typeof name === "number" ? found[name] : found.find(({ device }) => device.pci === name)
  if (device) return device
  throw new OperatorError(
    `--gpu-devices names ${name}, and there is no such GPU; quantus-miner devices lists them`,
    ExitCode.config,
  )
}

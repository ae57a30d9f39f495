/** Selects the GPUs to mine on. */
import { ExitCode, OperatorError } from "../../errors.ts"
import type { FoundDevice } from "./find-devices.ts"

/** All GPUs, the first `count`, or a list of indexes and PCI addresses (`0000:01:00.0`). */
export type DeviceSelection =
  | { readonly kind: "all" }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "list"; readonly devices: readonly (number | string)[] }

/**
 * Applies the operator's selection to the listed GPUs. If there is a discrete GPU, integrated ones are excluded unless
 * they are allowed or listed explicitly.
 * @throws OperatorError (config) if a listed device is absent or `count` exceeds the number of GPUs
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
      `--gpu-devices ${selection.count} exceeds the number of GPUs (${offered.length}); run "quantus-miner devices" to list them`,
      ExitCode.config,
    )
  }
  return offered.slice(0, selection.count)
}

function named(found: readonly FoundDevice[], name: number | string): FoundDevice {
  const device = typeof name === "number" ? found[name] : found.find(({ device }) => device.pci === name)
  if (device) return device
  throw new OperatorError(
    `--gpu-devices: no GPU matches ${name}; run "quantus-miner devices" to list them`,
    ExitCode.config,
  )
}

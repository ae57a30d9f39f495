import { createKernel, KERNELS } from "../engines/cpu/kernels.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { type Kernel, UnsupportedKernel } from "../kernel/kernel.ts"

const GPU_ENGINES = ["cuda", "opencl"]

/**
 * Opens the kernel of an engine for this thread.
 * @throws OperatorError for an unknown engine (usage) and one that cannot run on this machine (selfTest)
 */
export async function openKernel(engine: string): Promise<Kernel> {
  try {
    if (Object.hasOwn(KERNELS, engine)) return createKernel(engine)
    if (GPU_ENGINES.includes(engine)) return await openDeviceKernel(engine)
  } catch (error) {
    if (!isUnsupported(error)) throw error
    throw new OperatorError(`--engine ${engine} cannot run on this machine: ${error.message}`, ExitCode.selfTest)
  }
  const names = ["reference", ...Object.keys(KERNELS), ...GPU_ENGINES].join(", ")
  throw new OperatorError(`--engine ${engine} is unknown: available engines are ${names}`, ExitCode.usage)
}

/** Opens the first GPU that supports the API. */
async function openDeviceKernel(api: string): Promise<Kernel> {
  const [{ findDevices }, { openDevice }, { DeviceSearch }] = await Promise.all([
    import("../engines/gpu/find-devices.ts"),
    import("../engines/gpu/open-device.ts"),
    import("../engines/gpu/device-search.ts"),
  ])
  const cards = findDevices().devices.flatMap(({ device, other }) => (other ? [device, other] : [device]))
  const device = cards.find(card => card.api === api)
  if (!device) throw new UnsupportedKernel("no such GPU found")
  return new DeviceSearch(api, openDevice(device, { groupSize: 64 }))
}

function isUnsupported(error: unknown): error is Error {
  return error instanceof Error && ["UnsupportedKernel", "UnsupportedDevice", "DeviceError"].includes(error.name)
}

import { createKernel, KERNELS } from "../engines/cpu/kernels.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { type Kernel, UnsupportedKernel } from "../kernel/kernel.ts"

const GPU_ENGINES = ["cuda", "opencl"]

/**
 * The kernel that an engine of that name searches with, for this thread.
 * @throws OperatorError for a name that no engine has, and where it cannot run here
 */
export async function openKernel(engine: string): Promise<Kernel> {
  try {
    if (Object.hasOwn(KERNELS, engine)) return createKernel(engine)
    if (GPU_ENGINES.includes(engine)) return await openDeviceKernel(engine)
  } catch (error) {
    if (!isUnsupported(error)) throw error
    throw new OperatorError(`--engine ${engine} cannot run here: ${error.message}`, ExitCode.selfTest)
  }
  const names = ["reference", ...Object.keys(KERNELS), ...GPU_ENGINES].join(", ")
  throw new OperatorError(`--engine ${engine} is unknown here: there are ${names}`, ExitCode.usage)
}

/** The first device that the API drives. */
async function openDeviceKernel(api: string): Promise<Kernel> {
  const [{ findDevices }, { openDevice }, { DeviceSearch }] = await Promise.all([
    import("../engines/gpu/find-devices.ts"),
    import("../engines/gpu/open-device.ts"),
    import("../engines/gpu/device-search.ts"),
  ])
  const cards = findDevices().devices.flatMap(({ device, other }) => (other ? [device, other] : [device]))
  const device = cards.find(card => card.api === api)
  if (!device) throw new UnsupportedKernel("there is no such device")
  return new DeviceSearch(api, openDevice(device, { groupSize: 64 }))
}

function isUnsupported(error: unknown): error is Error {
  return error instanceof Error && ["UnsupportedKernel", "UnsupportedDevice", "DeviceError"].includes(error.name)
}

/** Lists GPUs and compiles for them in a child process, so that a driver that hangs or crashes costs its GPUs only. */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import type { Clock } from "../../clock.ts"
import { type ChildEnd, runChild } from "../../host/child-task.ts"
import { CUDA_LIBRARY } from "./cuda/api.ts"
import type { GpuApi, GpuDevice } from "./device.ts"
import type { DriverOrder, DriverReport } from "./driver-child.ts"
import { combine, type FoundDevices, type Listing } from "./find-devices.ts"
import { libraryNames } from "./library.ts"
import { OPENCL_LIBRARY } from "./opencl/api.ts"

/** Time for a driver to list its devices, and to compile and test one build. */
const TIMEOUT_MS = 30_000

/** @param run a test may pass its own @param timeoutMs a test may pass its own */
export interface DriverOptions {
  readonly clock: Clock
  readonly run?: typeof runChild
  readonly timeoutMs?: number
}

/** Lists the devices of all drivers, each in a child process. A driver that hangs or crashes is one of the failures. */
export async function findDevicesApart(options: DriverOptions): Promise<FoundDevices> {
  const [cuda, opencl] = await Promise.all([listApart("cuda", options), listApart("opencl", options)])
  return combine(cuda!, opencl!)
}

async function listApart(api: GpuApi, options: DriverOptions): Promise<Listing> {
  let listing: Listing | undefined
  let step = "while its devices were listed"
  const end = await run({ kind: "list", api }, options, report => {
    if (report.kind === "listed") listing = report.listing
    else step = report.what
  })
  const problem = problemOf(end, api, step, options)
  return problem === undefined ? listing! : { devices: [], missing: problem, isFailure: true }
}

/**
 * Compiles and tests every build for a device in a child process.
 * @returns a sentence if the driver hangs or crashes; undefined if it can be used, or reports an error itself
 */
export async function proveApart(device: GpuDevice, options: DriverOptions): Promise<string | undefined> {
  let step = `while it was opened for ${device.name}`
  const end = await run({ kind: "prove", device }, options, report => {
    if (report.kind === "step") step = report.what
  })
  return problemOf(end, device.api, step, options, device.platform)
}

const run = (
  order: DriverOrder,
  { clock, run = runChild, timeoutMs = TIMEOUT_MS }: DriverOptions,
  report: (report: DriverReport) => void,
): Promise<ChildEnd> => run({ order, timeoutMs, clock, report: report as (report: unknown) => void })

function problemOf(
  end: ChildEnd,
  api: GpuApi,
  step: string,
  { timeoutMs = TIMEOUT_MS }: DriverOptions,
  platform?: string,
): string | undefined {
  const driver = driverOf(api, platform)
  switch (end.kind) {
    case "done":
      return undefined
    case "crashed":
      return `${driver} crashed (${end.how}) ${step}`
    case "hung":
      return `${driver} did not answer within ${timeoutMs / 1000} s ${step}`
    case "unstarted":
      return `${driver} is not loaded, because the process for it cannot be started: ${end.why}`
  }
}

function driverOf(api: GpuApi, platform: string | undefined): string {
  if (api === "cuda") return `the CUDA driver (${libraryNames(CUDA_LIBRARY, process.platform)[0]})`
  const library = libraryNames(OPENCL_LIBRARY, process.platform)[0]!
  const parts = platform ? [platform] : platformLibraries(process.env["OCL_ICD_VENDORS"])
  return `the OpenCL driver (${[library, ...parts].join(", ")})`
}

/** The libraries that the loader loads for its platforms; empty if they are not listed in files. */
function platformLibraries(vendors = "/etc/OpenCL/vendors"): readonly string[] {
  try {
    return readdirSync(vendors)
      .filter(name => name.endsWith(".icd"))
      .map(name => basename(readFileSync(join(vendors, name), "utf8").trim()))
  } catch {
    return []
  }
}

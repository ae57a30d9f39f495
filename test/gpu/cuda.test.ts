/** Self-test and rate of every NVIDIA device of the host. */
import { describe, expect, test } from "bun:test"
import { openCuda } from "../../src/engines/gpu/cuda/api.ts"
import { cudaDevices } from "../../src/engines/gpu/cuda/devices.ts"
import type { GpuDevice } from "../../src/engines/gpu/device.ts"
import { testDevice } from "../../src/engines/gpu/device-test.ts"
import { buildsFor, measure, openStart } from "../../src/engines/gpu/tuning.ts"
import { nvmlSensors } from "../../src/host/nvml/sensors.ts"
import { formatRate } from "../../src/observe/units.ts"

const devices = listed()
const now = () => performance.now()

describe("CUDA", () => {
  if (typeof devices === "string") {
    console.log(`skipped: ${devices}`)
    test.skip(`devices (skipped: ${devices})`, () => {})
    return
  }
  for (const device of devices)
    test(`${device.name} passes its self-test at its measured rate`, async () => {
      const { search, tuning } = openStart(device, { kind: "default", build: buildsFor(device)[0]! }, { now })
      try {
        expect(testDevice(search)).toBeUndefined()
        const rate = measure(search, now)
        const watts = device.pci === undefined ? undefined : (await nvmlSensors()?.read(device.pci))?.powerWatts
        console.log(`${device.name}: ${formatRate(rate)}, ${watts ?? "unknown"} W, ${JSON.stringify(tuning.layout)}`)
        expect(rate).toBeGreaterThan(0)
      } finally {
        search.close()
      }
    })
})

function listed(): readonly GpuDevice[] | string {
  try {
    return cudaDevices(openCuda())
  } catch (error) {
    return (error as Error).message
  }
}

/** Measures every GPU of the host with every usual build, and stores the report that `docs/gpu.md` asks for. */
import { describe, expect, test } from "bun:test"
import { reportOn, tableOf } from "../../scripts/gpu-report.ts"
import { systemClock as clock } from "../../src/clock.ts"
import { openCuda } from "../../src/engines/gpu/cuda/api.ts"
import { openCudaCompute } from "../../src/engines/gpu/cuda/compute.ts"
import { findDevices } from "../../src/engines/gpu/find-devices.ts"
import { buildsFor, tryBuild } from "../../src/engines/gpu/tuning.ts"
import { sensorSources } from "../../src/host/sensors.ts"

/** Where the report is stored. */
const FILE = process.env["GPU_REPORT"] ?? "gpu-report.json"

const { devices, missing } = findDevices()

describe("report", () => {
  if (devices.length === 0) {
    const why = `no GPU: ${missing.join("; ")}`
    console.log(`skipped: ${why}`)
    test.skip(`is stored (skipped: ${why})`, () => {})
    return
  }
  test("is stored, and every build is right", async () => {
    const sources = sensorSources(clock)
    const reports = []
    for (const { device } of devices) {
      const { pci } = device
      const read = async () => {
        for (const source of pci === undefined ? [] : sources) {
          const reading = await source.read(pci!)
          if (reading) return reading
        }
        return undefined
      }
      const report = await reportOn(device, {
        builds: buildsFor(device),
        tryBuild: build => tryBuild(device, build, { now: () => performance.now(), read }),
        openPtx: device.api === "cuda" ? ptx => openCudaCompute(openCuda(), device, ptx, ["pipe"]) : undefined,
        log: console.log,
      })
      console.log(tableOf(report))
      reports.push(report)
    }
    for (const source of sources) source.close()
    await Bun.write(FILE, `${JSON.stringify(reports, undefined, 2)}\n`)
    console.log(`stored in ${FILE}`)
    expect(reports.flatMap(({ builds }) => builds).filter(({ outcome }) => outcome !== "right")).toEqual([])
  })
})

/** A GPU worker whose device fails in the way that its name selects. */
import { DeviceError } from "../../../src/engines/gpu/compute.ts"
import { DeviceSearch } from "../../../src/engines/gpu/device-search.ts"
import { UnsupportedDevice } from "../../../src/engines/gpu/library.ts"
import { WrongDevice } from "../../../src/engines/gpu/tuning.ts"
import { serveDevice } from "../../../src/engines/gpu/worker-main.ts"
import { fakeCompute } from "./fake-compute.ts"

serveDevice(({ name }) => {
  if (name === "wrong") throw new WrongDevice("a wrong hash")
  if (name === "gone") throw new UnsupportedDevice("the device is no longer available")
  const compute = fakeCompute(() => false)
  const search = new DeviceSearch(name, compute)
  let launches = 0
  const { launch } = compute
  compute.launch = (...args) => {
    launches += 1
    if (name === "dying" && launches > 20) throw new DeviceError("clEnqueueNDRangeKernel", "CL_OUT_OF_RESOURCES")
    launch.apply(compute, args)
  }
  return { search, tuning: { layout: { groupSize: 64, groups: 2 }, hashesPerSecond: 1e5 } }
})

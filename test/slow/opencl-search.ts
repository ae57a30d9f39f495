/**
 * Searches rows and a range on the first OpenCL device and compares the candidates with those of the WebAssembly kernel.
 * Prints the device and exits with 1 at a difference. Arguments: rows, group size, `rolled` or `in-a-row`.
 */
import { DeviceSearch } from "../../src/engines/gpu/device-search.ts"
import { openOpenCl } from "../../src/engines/gpu/opencl/api.ts"
import { openOpenClCompute } from "../../src/engines/gpu/opencl/compute.ts"
import { openClDevices } from "../../src/engines/gpu/opencl/devices.ts"
import { DEVICE_KERNELS } from "../../src/kernel/device-program.ts"
import { ROW } from "../../src/kernel/kernel.ts"
import { planeBase, spongeBeforeLast } from "../../src/kernel/nonce-plane.ts"
import { renderOpenCl } from "../../src/kernel/opencl/opencl-program.ts"
import { createWasmKernel } from "../../src/kernel/wasm/wasm-kernel.ts"

const [rows, groupSize] = process.argv.slice(2, 4).map(Number) as [number, number]
const rolled = process.argv[4] === "rolled"

/** One nonce in 32 of the rows is a candidate, and one in 4 of the range. */
const TOP = 2n ** 64n / 32n
const RANGE_TOP = 2n ** 64n / 4n
const FIRST_ROW = 54_321
const FIRST = 0xffff_ffc0
const COUNT = 64

const api = openOpenCl()
const [device] = openClDevices(api, "all")
if (!device) throw new Error("no OpenCL device")
console.log(`${device.platform}, ${device.name}, ${device.driver}`)

const search = new DeviceSearch("opencl", openOpenClCompute(api, device, renderOpenCl({ rolled }), DEVICE_KERNELS))
search.geometry = { groupSize, groups: 8 }
const reference = createWasmKernel("wasm-narrow")
const header = Uint8Array.from({ length: 32 }, (_, i) => (59 * i + 7) & 0xff)
const nonce = Uint8Array.from({ length: 64 }, (_, i) => (167 * i + 13) & 0xff)
const midstate = (nonce: Uint8Array) => spongeBeforeLast(header, nonce, state => reference.permute(state))
search.setTarget(TOP)
reference.setTarget(TOP)

const plane = midstate(planeBase(nonce))
search.preparePlane(plane)
reference.preparePlane(plane)
const expected = Array.from({ length: rows }, (_, row) => {
  const count = reference.searchRow(FIRST_ROW + row)
  return [...reference.hits.subarray(0, count)].map(t1 => row * ROW + t1)
}).flat()
compare("rows", [...search.take(search.launchRows(FIRST_ROW, rows))], expected)

search.setTarget(RANGE_TOP)
reference.setTarget(RANGE_TOP)
nonce.fill(0, 60)
const range = midstate(nonce)
search.prepareRange(range)
reference.prepareRange(range)
const count = reference.searchRange(FIRST, COUNT)
compare("range", [...search.take(search.launchRange(FIRST, COUNT))], [...reference.hits.subarray(0, count)])
search.close()

function compare(what: string, found: readonly number[], expected: readonly number[]): void {
  console.log(`${what}: ${found.length} candidates`)
  if (found.length > 0 && found.join() === expected.join()) return
  console.log(`expected ${expected.join()}, found ${found.join()}`)
  process.exit(1)
}

/** The OpenCL layer against a driver in TypeScript. `test/gpu` runs it on PoCL. */
import { expect, test } from "bun:test"
import { DeviceInfo } from "../../../src/engines/gpu/opencl/api.ts"
import { openOpenClCompute } from "../../../src/engines/gpu/opencl/compute.ts"
import { openClDevices } from "../../../src/engines/gpu/opencl/devices.ts"
import { fakeOpenCl } from "./fake-opencl.ts"

function opened() {
  const fake = fakeOpenCl([{}])
  return { fake, compute: () => openOpenClCompute(fake.api, openClDevices(fake.api)[0]!, "", ["search"]) }
}

test("a fence is polled until it is done, and only then awaited by the driver, which may spin", () => {
  const { fake, compute } = opened()
  const device = compute()
  const fence = device.fence(0)
  fake.statuses.push(3, 2, 1, 1)
  fake.calls.length = 0
  const start = performance.now()
  device.wait(fence)
  // Four sleeps of a millisecond.
  expect(performance.now() - start).toBeGreaterThan(3.9)
  expect(fake.calls).toEqual([...Array(5).fill("clGetEventInfo"), "clWaitForEvents", "clReleaseEvent"])
})

test("a failed command is reported with its error", () => {
  const { fake, compute } = opened()
  const device = compute()
  const fence = device.fence(0)
  fake.statuses.push(1, -5)
  expect(() => device.wait(fence)).toThrow("clWaitForEvents: CL_OUT_OF_RESOURCES")
})

test("a long compiler log is cut at its end", () => {
  const { fake, compute } = opened()
  fake.log = `error: first\n${"note: much more\n".repeat(10_000)}`
  expect(compute).toThrow(/^clBuildProgram: CL_BUILD_PROGRAM_FAILURE: error: first\nnote: much more\n.{0,4096}$/s)
})

const text = (value: string) => new TextEncoder().encode(`${value}\0`)
const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer)

test("lists devices with the drivers' descriptions", () => {
  const uuid = Uint8Array.from({ length: 16 }, (_, i) => i)
  const nvidia = {
    [DeviceInfo.name]: text("Card A"),
    [DeviceInfo.type]: words(4, 0),
    [DeviceInfo.computeUnits]: words(132),
    [DeviceInfo.memory]: words(0, 20),
    [DeviceInfo.version]: text("OpenCL 3.0 CUDA"),
    [DeviceInfo.driverVersion]: text("550.54.14"),
    [DeviceInfo.languageVersion]: text("OpenCL C 1.2 "),
    [DeviceInfo.pciBusNvidia]: words(0x65),
    [DeviceInfo.pciSlotNvidia]: words(0x10),
    [DeviceInfo.pciDomainNvidia]: words(1),
    [DeviceInfo.uuid]: uuid,
    [DeviceInfo.extensions]: text("cl_khr_fp64 cl_khr_device_uuid cl_nv_device_attribute_query "),
  }
  const topology = new Uint8Array(24)
  topology.set([1])
  topology.set([0x83, 0, 1], 21)
  const amd = {
    [DeviceInfo.name]: text("gfx1100"),
    [DeviceInfo.boardNameAmd]: text("Card B"),
    [DeviceInfo.topologyAmd]: topology,
    [DeviceInfo.extensions]: text("cl_amd_device_attribute_query"),
  }
  const intel = {
    [DeviceInfo.unifiedMemory]: words(1),
    [DeviceInfo.pciBus]: words(0, 0, 2, 0),
    [DeviceInfo.extensions]: text("cl_khr_pci_bus_info"),
  }
  const [first, second, third] = openClDevices(fakeOpenCl([nvidia, amd, intel]).api)
  expect(first).toMatchObject({
    index: 0,
    name: "Card A",
    memory: 20 * 2 ** 32,
    computeUnits: 132,
    integrated: false,
    processor: false,
    pci: "0001:65:02.0",
    uuid: "000102030405060708090a0b0c0d0e0f",
    part: undefined,
    driver: "OpenCL 3.0 CUDA, driver 550.54.14",
    architecture: "OpenCL C 1.2",
  })
  expect(second).toMatchObject({ index: 1, name: "Card B", pci: "0000:83:00.1", uuid: undefined })
  expect(third).toMatchObject({ index: 2, integrated: true, pci: "0000:00:02.0" })
})

test("a device is asked only for what its extensions offer", () => {
  const { api } = fakeOpenCl([{ [DeviceInfo.uuid]: new Uint8Array(16), [DeviceInfo.pciBus]: words(0, 0, 2, 0) }])
  expect(openClDevices(api)[0]).toMatchObject({ uuid: undefined, pci: undefined })
})

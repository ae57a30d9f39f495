import { afterAll, expect, test } from "bun:test"
import { readCpuInfo } from "../../../src/host/linux/cpu-info.ts"
import { scratch } from "../support.ts"

const tmp = scratch()
afterAll(() => tmp.cleanUp())

test("x86: the fields of the first CPU", async () => {
  const first = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: A CPU @ 2.00GHz: fast\nmicrocode\t: 0x2b000\n"
  const second = first.replace("0x2b000", "0x1").replace("A CPU", "Another")
  expect(await readCpuInfo(tmp.root({ "proc/cpuinfo": `${first}\n${second}` }))).toEqual({
    model: "A CPU @ 2.00GHz: fast",
    vendor: "GenuineIntel",
    microcode: "0x2b000",
  })
})

test("ARM: no microcode and often no model name", async () => {
  const text = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"
  expect(await readCpuInfo(tmp.root({ "proc/cpuinfo": text }))).toEqual({
    model: undefined,
    vendor: "0x41",
    microcode: undefined,
  })
})

test("without /proc: the runtime's model name", async () => {
  const info = await readCpuInfo(tmp.root({}))
  expect(info).toMatchObject({ vendor: undefined, microcode: undefined })
  expect(info.model).toBeString()
})

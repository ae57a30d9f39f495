import type { Pointer } from "bun:ffi"
import { describe, expect, test } from "bun:test"
import { closeSync, openSync, readFileSync, readSync } from "node:fs"
import { createKernel, KERNELS, renderedKernel } from "../../../src/engines/cpu/kernels.ts"
import { host } from "../../../src/host/host.ts"
import { loadCode, mapPages } from "../../../src/kernel/native/memory.ts"
import { refusalOf } from "../../support/kernels.ts"

/** Reserved regions of the runtime's compiler are larger than this; a kernel is much smaller. */
const MAX_REGION_BYTES = 2 ** 24
const PROBE_BYTES = 256

/** Permissions of this process's mappings that contain the beginning of `code`, such as `r-xp`. */
function permissionsOf(code: Uint8Array): string[] {
  const probe = Buffer.from(code.subarray(0, PROBE_BYTES))
  const memory = openSync("/proc/self/mem", "r")
  try {
    return readFileSync("/proc/self/maps", "utf8")
      .split("\n")
      .flatMap(line => {
        const [, from, to, permissions] = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ 0\s*$/.exec(line) ?? []
        const [start, end] = [Number(`0x${from}`), Number(`0x${to}`)]
        if (!permissions?.includes("x") || end - start > MAX_REGION_BYTES) return []
        const region = Buffer.alloc(end - start)
        if (permissions.startsWith("r")) readSync(memory, region, 0, region.length, start)
        return region.includes(probe) ? [permissions] : []
      })
  } finally {
    closeSync(memory)
  }
}

const isMachineCode = (rendered: unknown): rendered is { readonly code: Uint8Array } =>
  (rendered as { code?: unknown }).code instanceof Uint8Array

describe.skipIf(process.platform !== "linux")("executable pages", () => {
  for (const name of Object.keys(KERNELS).filter(name => !name.startsWith("wasm"))) {
    const why = refusalOf(name)
    test.skipIf(why !== undefined)(`of ${name} are not writable${why ? ` (skipped: ${why})` : ""}`, () => {
      const rendered = renderedKernel(name)
      if (!isMachineCode(rendered)) throw new Error(`${name} has no machine code`)
      const kernel = createKernel(name)
      // Other tests of this process may have loaded the same code.
      expect([...new Set(permissionsOf(rendered.code))]).toEqual(["r-xp"])
      kernel.close()
    })
  }
})

const elsewhere = process.platform === "win32" ? "" : " (skipped: this machine is not Windows)"

describe.skipIf(elsewhere !== "")(`pages on Windows${elsewhere}`, () => {
  /** `Protect` of MEMORY_BASIC_INFORMATION for the page at `address`. */
  const protectionOf = (address: number): number => {
    const { symbols } = host.openLibrary("kernel32.dll", {
      VirtualQuery: { args: ["ptr", "ptr", "u64"], returns: "u64" },
    })
    const information = new Uint32Array(12)
    expect(Number(symbols.VirtualQuery(address as Pointer, information, information.byteLength))).toBe(48)
    return information[9]!
  }

  test("are writable for data, and executable but not writable for code", () => {
    const [PAGE_READWRITE, PAGE_EXECUTE_READ] = [0x04, 0x20]
    const pages = mapPages(5000)
    expect(pages.buffer.byteLength).toBe(8192)
    expect(protectionOf(pages.address)).toBe(PAGE_READWRITE)
    pages.free()
    const code = loadCode(Uint8Array.of(0xc3))
    expect(protectionOf(code.address)).toBe(PAGE_EXECUTE_READ)
    code.free()
  })
})

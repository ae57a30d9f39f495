/** `hash`: computes the nonce hash with the reference or an engine's kernel, so that each can be checked externally. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import { createKernel, KERNELS } from "../engines/cpu/kernels.ts"
import { refusedByTrial } from "../engines/cpu/trial.ts"
import { ExitCode, OperatorError } from "../errors.ts"
import { type Kernel, UnsupportedKernel } from "../kernel/kernel.ts"
import { HEADER_BYTES, NONCE_BYTES, nonceHash, type Permutation } from "../pow/nonce-hash.ts"

const REFERENCE = "reference"
const GPU_ENGINES = ["cuda", "opencl"]

/** Exit codes by the name of the error that opening a kernel ends with. The GPU's modules are loaded only if needed. */
const EXIT_CODES: Readonly<Record<string, ExitCode>> = {
  UnsupportedKernel: ExitCode.selfTest,
  UnsupportedDevice: ExitCode.selfTest,
  DeviceError: ExitCode.lost,
}

export async function run({ settings, positionals }: Config<"hash">): Promise<void> {
  const permutation = await permutationOf(settings.engine)
  const hash = (header: Uint8Array, nonce: Uint8Array) => nonceHash(header, nonce, permutation).toHex()
  const [header, nonce] = positionals
  if (header !== undefined && nonce !== undefined) {
    console.log(hash(hex("HEADER", header, HEADER_BYTES), hex("NONCE", nonce, NONCE_BYTES)))
    return
  }
  let number = 0
  for await (const line of console) {
    number += 1
    if (line.trim() === "") continue
    const { header, nonce } = parseLine(number, line)
    console.log(JSON.stringify({ hash: hash(header, nonce) }))
  }
}

/** @returns undefined for the reference */
async function permutationOf(engine: string): Promise<Permutation | undefined> {
  if (engine === "auto" || engine === REFERENCE) return undefined
  const kernel = await openKernel(engine)
  return state => {
    const elements = BigUint64Array.from(state)
    kernel.permute(elements)
    return [...elements]
  }
}

function parseLine(number: number, line: string): { header: Uint8Array; nonce: Uint8Array } {
  const at = `line ${number} of standard input`
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new OperatorError(`${at} is not JSON: it must be {"header":"…","nonce":"…"}`, ExitCode.usage)
  }
  const { header, nonce } = (value ?? {}) as Record<string, unknown>
  return { header: hex(`${at}: header`, header, HEADER_BYTES), nonce: hex(`${at}: nonce`, nonce, NONCE_BYTES) }
}

function hex(what: string, text: unknown, bytes: number): Uint8Array {
  const digits = 2 * bytes
  if (typeof text === "string" && text.length === digits && /^[0-9a-f]+$/i.test(text)) return Uint8Array.fromHex(text)
  const arrived = typeof text === "string" ? `, not "${text.slice(0, 140)}"` : ""
  throw new OperatorError(`${what} must be ${digits} hexadecimal digits${arrived}`, ExitCode.usage)
}

/**
 * Opens the kernel of an engine for this thread.
 * @throws OperatorError for an unknown engine (usage), one that cannot run on this machine (selfTest), and a device that
 *   fails (lost)
 */
async function openKernel(engine: string): Promise<Kernel> {
  try {
    if (Object.hasOwn(KERNELS, engine)) {
      const why = (await refusedByTrial([engine], { clock })).get(engine)
      if (why !== undefined) throw new UnsupportedKernel(why)
      return createKernel(engine)
    }
    if (GPU_ENGINES.includes(engine)) return await openDeviceKernel(engine)
  } catch (error) {
    const exitCode = EXIT_CODES[(error as Error).name]
    if (exitCode === undefined) throw error
    throw new OperatorError(`--engine ${engine} cannot run on this machine: ${(error as Error).message}`, exitCode)
  }
  const names = [REFERENCE, ...Object.keys(KERNELS), ...GPU_ENGINES].join(", ")
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

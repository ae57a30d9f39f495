/** The CPU's identification from `/proc/cpuinfo`. */
import { join } from "node:path"
import type { CpuInfo } from "../platform.ts"
import { portable } from "../portable.ts"
import { readText } from "../read-text.ts"

/** Reads the first CPU of `/proc/cpuinfo` under `root`; if absent, the model is the runtime's. */
export async function readCpuInfo(root = "/"): Promise<CpuInfo> {
  const text = await readText(join(root, "proc/cpuinfo"))
  if (text === undefined) return portable.cpuInfo()
  const fields = new Map<string, string>()
  for (const line of text.split("\n")) {
    const match = /^(.+?)\s*:\s*(\S.*)$/.exec(line)
    if (match !== null && !fields.has(match[1]!)) fields.set(match[1]!, match[2]!.trim())
  }
  return {
    model: fields.get("model name") ?? fields.get("Model"),
    vendor: fields.get("vendor_id") ?? fields.get("CPU implementer"),
    microcode: fields.get("microcode"),
  }
}

/** The CPU's identification, for logs and as the key of a calibration. */
import { cpus as systemCpus } from "node:os"
import { join } from "node:path"
import { readText } from "./read-text.ts"

/** Fields as the system reports them; undefined if absent. */
export interface CpuInfo {
  /** `AMD EPYC 7763 64-Core Processor` */
  readonly model: string | undefined
  /** `AuthenticAMD` */
  readonly vendor: string | undefined
  /** `0xa0011d5` */
  readonly microcode: string | undefined
}

/** Reads the first CPU of `/proc/cpuinfo` under `root`; if absent, the model is the runtime's. */
export async function readCpuInfo(root = "/"): Promise<CpuInfo> {
  const text = await readText(join(root, "proc/cpuinfo"))
  if (text === undefined) return { model: systemCpus()[0]?.model, vendor: undefined, microcode: undefined }
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

/** `version`: what this executable is. */
import type { Config } from "../config/config.ts"
import { commit, target, version } from "../version.ts"

export async function run({ settings }: Config<"version">): Promise<void> {
  if (!settings.json) {
    console.log(`quantus-miner ${version}`)
    return
  }
  const { kernelNames } = await import("../engines/cpu/kernels.ts")
  const engines = [...kernelNames(), "cuda", "opencl"]
  console.log(JSON.stringify({ version, commit: commit ?? null, runtime: `bun ${Bun.version}`, target, engines }))
}

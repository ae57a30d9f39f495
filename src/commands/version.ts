/** `version`: what this executable is. */
import type { Config } from "../config/config.ts"
import { commit, target, version } from "../version.ts"

export async function run({ settings }: Config<"version">): Promise<void> {
  if (!settings.json) {
    console.log(`quantus-miner ${version}`)
    return
  }
  const { KERNELS } = await import("../engines/cpu/kernels.ts")
  const engines = [...Object.keys(KERNELS), "cuda", "opencl"]
  console.log(JSON.stringify({ version, commit: commit ?? null, runtime: `bun ${Bun.version}`, target, engines }))
}

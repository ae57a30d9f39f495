import type { Config } from "../config/config.ts"
export async function run(_config: Config<"hash">): Promise<void> {}

import { existsSync } from "node:fs"
import { join } from "node:path"

/** What drivers put into /dev: NVIDIA, any that renders, AMD's compute, Windows' under WSL. */
const NODES = ["nvidiactl", "nvidia0", "dri", "kfd", "dxg"]

/**
 * Whether this machine may have a GPU at all: elsewhere than on Linux always. A driver library is not loaded just to
 * hear that there is none, since an OpenCL one that runs on processors takes 100 MB with it.
 * @param root where /dev is
 */
export function mayHaveGpus(platform: NodeJS.Platform = process.platform, root = "/"): boolean {
  return platform !== "linux" || NODES.some(node => existsSync(join(root, "dev", node)))
}

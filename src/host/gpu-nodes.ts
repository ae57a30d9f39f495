import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** What drivers put into /dev: NVIDIA, any that renders, AMD's compute, Windows' under WSL. */
const NODES = ["nvidiactl", "nvidia0", "dri", "kfd", "dxg"]

/** PCI's number of the vendor, and how those of classes begin that draw, or only compute. */
const NVIDIA = "0x10de"
const DISPLAY_CONTROLLER = "0x03"

/**
 * Whether this machine may have a GPU at all: elsewhere than on Linux always. A driver library is not loaded just to
 * hear that there is none, since an OpenCL one that runs on processors takes 100 MB with it.
 * @param root where /dev and /sys are
 */
export function mayHaveGpus(platform: NodeJS.Platform = process.platform, root = "/"): boolean {
  return platform !== "linux" || NODES.some(node => existsSync(join(root, "dev", node))) || hasNvidiaCard(root)
}

/** NVIDIA's nodes may be missing on a server until its driver is first used, which makes them (`nvidia-modprobe`). */
function hasNvidiaCard(root: string): boolean {
  const devices = join(root, "sys/bus/pci/devices")
  const starts = (device: string, file: string, text: string) =>
    readFileSync(join(devices, device, file), "utf8").startsWith(text)
  try {
    return readdirSync(devices).some(
      device => starts(device, "vendor", NVIDIA) && starts(device, "class", DISPLAY_CONTROLLER),
    )
  } catch {
    return false
  }
}

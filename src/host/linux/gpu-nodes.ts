import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** Entries of /dev by driver: NVIDIA, any with rendering, AMD compute, Windows under WSL. */
const NODES = ["nvidiactl", "nvidia0", "dri", "kfd", "dxg"]

/** PCI vendor id, and the prefix of the class ids of display controllers, which include compute-only cards. */
const NVIDIA = "0x10de"
const DISPLAY_CONTROLLER = "0x03"

/**
 * Whether the host may have a GPU. Avoids loading driver libraries in vain: an OpenCL
 * library for processors alone takes 100 MB.
 * @param root where /dev and /sys are
 */
export function mayHaveGpus(root = "/"): boolean {
  return NODES.some(node => existsSync(join(root, "dev", node))) || hasNvidiaCard(root)
}

/** On a server NVIDIA's nodes may be absent until the driver's first use creates them (`nvidia-modprobe`). */
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

/** A system of which nothing is known but what the runtime reports. */
import { dlopen } from "bun:ffi"
import { availableParallelism, cpus as systemCpus } from "node:os"
import { isAbsolute, join } from "node:path"
import { allLogicalCpus } from "./effective-cpus.ts"
import type { Platform } from "./platform.ts"
import { SILENT } from "./service-manager.ts"

/** The number of logical CPUs, at least 1. The runtime's list of CPUs is empty on some systems. */
export const logicalCpuCount = (listed = systemCpus().length): number => Math.max(1, listed || availableParallelism())

export const portable: Platform = {
  openLibrary(name, table) {
    if (isAbsolute(name)) return dlopen(name, table)
    throw new Error(`${name} could not be found: ${process.platform} is not supported`)
  },
  memory: () => undefined,
  monotonicMicroseconds: () => undefined,
  refineTimers: () => true,
  endWithParent() {},
  ignoreUnreachablePeers() {},
  ignoresHangup: () => false,
  currentThreadId: () => undefined,
  bindsThreads: false,
  setThreadAffinity: () => false,
  threadActivity: () => undefined,
  cpuInfo: async () => ({ model: systemCpus()[0]?.model, vendor: undefined, microcode: undefined }),
  effectiveCpus: async () => allLogicalCpus(logicalCpuCount()),
  placement: async cpus => ({ order: cpus, cores: cpus.length }),
  coreKinds: async () => [],
  stateDirectory({ XDG_STATE_HOME: state, HOME: home }) {
    if (state) return join(state, "quantus-miner")
    return home ? join(home, ".local/state/quantus-miner") : undefined
  },
  nodeDirectory({ XDG_DATA_HOME: data, HOME: home }) {
    if (data) return join(data, "quantus-node")
    return home ? join(home, ".local/share/quantus-node") : undefined
  },
  hasFileModes: true,
  isOnReadOnlyMount: () => false,
  lock: () => ({ kind: "unlockable" }),
  mayHaveGpus: () => true,
  sensors: () => [],
  gpuKnobs: () => [],
  isOnBattery: async () => undefined,
  idleSeconds: async () => undefined,
  cpuTemperature: () => undefined,
  packageEnergy: () => [],
  hasPackageEnergy: () => false,
  isInForeground: () => true,
  notifier: () => SILENT,
}

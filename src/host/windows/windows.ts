/** Windows. */
import type { Platform } from "../platform.ts"
import { portable } from "../portable.ts"
import { coreKinds, currentThreadId, effectiveCpus, placement, setThreadAffinity } from "./affinity.ts"
import { readCpuInfo } from "./cpu-info.ts"
import { nodeDirectory, stateDirectory } from "./directories.ts"
import { openLibrary } from "./libraries.ts"
import { memory } from "./memory.ts"
import { lockMutex } from "./mutex.ts"
import { idleSeconds, isOnBattery } from "./owner.ts"
import { threadActivity } from "./thread-activity.ts"
import { refineTimers } from "./timers.ts"

export const windows: Platform = {
  ...portable,
  openLibrary,
  memory,
  refineTimers,
  currentThreadId,
  bindsThreads: true,
  setThreadAffinity: (cpus, threadId) => setThreadAffinity(cpus, threadId),
  threadActivity,
  cpuInfo: async () => readCpuInfo(),
  effectiveCpus: async () => effectiveCpus(),
  placement: async cpus => placement(cpus),
  coreKinds: async () => coreKinds(),
  stateDirectory,
  nodeDirectory,
  hasFileModes: false,
  lock: name => lockMutex(name),
  isOnBattery,
  idleSeconds,
}

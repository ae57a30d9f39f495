/** Linux. */
import { tmpdir } from "node:os"
import type { Environment } from "../../environment.ts"
import { lockFile } from "../file-lock.ts"
import type { Platform } from "../platform.ts"
import { portable } from "../portable.ts"
import { currentThreadId, setThreadAffinity } from "./affinity.ts"
import { amdgpuKnobs } from "./amdgpu-knobs.ts"
import { readCoreKinds } from "./core-kinds.ts"
import { readCpuInfo } from "./cpu-info.ts"
import { cpuTemperature } from "./cpu-temperature.ts"
import { readEffectiveCpus } from "./effective-cpus.ts"
import { isInForeground } from "./foreground.ts"
import { mayHaveGpus } from "./gpu-nodes.ts"
import { hwmonSensors } from "./hwmon-sensors.ts"
import { endWithParent, libc, monotonicMicroseconds } from "./libc.ts"
import { openLibrary } from "./libraries.ts"
import { idleSeconds } from "./logind.ts"
import { memory } from "./memory.ts"
import { isOnReadOnlyMount } from "./mounts.ts"
import { isOnBattery } from "./power-supply.ts"
import { hasPackageEnergy, packageEnergy } from "./powercap.ts"
import { ignoresHangup } from "./signals.ts"
import { createNotifier } from "./systemd.ts"
import { threadActivity } from "./thread-activity.ts"
import { readPlacement } from "./topology.ts"
import { ignoreUnreachablePeers } from "./unreachable-peers.ts"

/** Lock directories in order: one that all users share, then the service's own, then the temporary one. */
export function lockDirectories({ RUNTIME_DIRECTORY: service }: Environment): string[] {
  return ["/run/lock", ...(service ? [service.split(":")[0]!] : []), tmpdir()]
}

export const linux: Platform = {
  openLibrary,
  memory,
  monotonicMicroseconds,
  refineTimers: portable.refineTimers,
  endWithParent,
  ignoreUnreachablePeers,
  ignoresHangup: () => ignoresHangup(),
  currentThreadId,
  bindsThreads: true,
  setThreadAffinity,
  threadActivity: threadId => threadActivity(threadId),
  cpuInfo: () => readCpuInfo(),
  effectiveCpus: () => readEffectiveCpus(),
  placement: cpus => readPlacement(cpus),
  coreKinds: () => readCoreKinds(),
  stateDirectory(env) {
    // A service may have several, separated by colons.
    const [service] = (env["STATE_DIRECTORY"] ?? "").split(":")
    return service || portable.stateDirectory(env)
  },
  nodeDirectory: portable.nodeDirectory,
  hasFileModes: true,
  isOnReadOnlyMount,
  lock: (name, env) => lockFile(name, lockDirectories(env), libc()?.flock),
  mayHaveGpus: () => mayHaveGpus(),
  sensors: () => [hwmonSensors("/")],
  gpuKnobs: () => [amdgpuKnobs("/")],
  isOnBattery: async () => isOnBattery(),
  idleSeconds,
  cpuTemperature: () => cpuTemperature(),
  packageEnergy: () => packageEnergy(),
  hasPackageEnergy: () => hasPackageEnergy(),
  isInForeground,
  notifier: createNotifier,
}

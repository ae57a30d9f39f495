/** What the miner needs of an operating system beyond the runtime. Each system fills in what it has. */
import type { FFIFunction, Library } from "bun:ffi"
import type { Environment } from "../environment.ts"
import type { Log } from "../log.ts"
import type { CoreKind } from "./core-kinds.ts"
import type { EffectiveCpus } from "./effective-cpus.ts"
import type { GpuKnobs } from "./gpu-settings.ts"
import type { SensorSource } from "./sensor-source.ts"
import type { Notifier } from "./service-manager.ts"

export interface Platform {
  /**
   * Opens a shared library on the system loader's search path only. Bun's `dlopen` also searches the current directory,
   * where anyone may have placed a library.
   * @param name the loader's name, such as `libcuda.so.1` or `nvcuda.dll`, or an absolute path
   * @throws Error with the loader's message if the library is not found or lacks a function; if `bun:ffi` is refused
   */
  openLibrary<const Table extends Record<string, FFIFunction>>(name: string, table: Table): Library<Table>
  /** Memory outside the JavaScript heap; undefined if the process cannot call the system. */
  memory(): SystemMemory | undefined
  /** Monotonic time in microseconds, the same for all threads; undefined if the system's clock cannot be read. */
  monotonicMicroseconds(): bigint | undefined
  /**
   * Has the system end this process when its parent ends, even if it hangs. Without effect where this is not offered, and
   * on Windows, where the runtime sees to it.
   */
  endWithParent(): void
  /**
   * Lets datagrams of this process's UDP sockets on a local port be sent although an earlier one was refused by another
   * peer's system; without effect where this cannot be set.
   */
  ignoreUnreachablePeers(port: number): void
  /** Whether SIGHUP was ignored when this process began, as under `nohup`. Must be asked before a handler is installed. */
  ignoresHangup(): boolean
  /**
   * Lets sleeps of this process end within about a millisecond of their time, on systems with coarser timers.
   * @returns false if refused
   */
  refineTimers(): boolean

  /** The system's id of the calling thread; undefined if other threads cannot address it. */
  currentThreadId(): number | undefined
  /** Whether the system has `setThreadAffinity`. */
  readonly bindsThreads: boolean
  /**
   * Restricts a thread of this process to `cpus`.
   * @param threadId from `currentThreadId`; undefined: the calling thread
   * @returns false if the system lacks the call or refuses it; the affinity is unchanged
   * @throws RangeError if a CPU is not an integer from 0 to the system's maximum
   */
  setThreadAffinity(cpus: Iterable<number>, threadId?: number): boolean
  /** @returns undefined if the system does not report it or the thread has ended */
  threadActivity(threadId: number): ThreadActivity | undefined

  cpuInfo(): Promise<CpuInfo>
  /** Never rejects. */
  effectiveCpus(): Promise<EffectiveCpus>
  /** @param cpus ascending */
  placement(cpus: readonly number[]): Promise<Placement>
  /** The kinds of core of the whole machine, fastest first; none if the system does not tell them or binds no threads. */
  coreKinds(): Promise<readonly CoreKind[]>

  /** The directory for state kept between starts, which may not exist yet; undefined if the user has none. */
  stateDirectory(env: Environment): string | undefined
  /** The node's default base path; undefined without a home directory. */
  nodeDirectory(env: Environment): string | undefined
  /** Whether the mode of a file says who can read and change it. */
  readonly hasFileModes: boolean
  /** Whether a file is on a read-only mount, where its mode cannot be changed; false if unknown. */
  isOnReadOnlyMount(path: string): boolean
  /** Acquires a lock that all users' processes on this machine share, until it is released or the process ends. */
  lock(name: string, env: Environment): Locked

  /** Whether the machine may have a GPU. False avoids loading driver libraries in vain. */
  mayHaveGpus(): boolean
  /** Sources of GPU sensor readings besides NVML. */
  sensors(): readonly SensorSource[]
  /** Settings of GPUs besides those that NVML offers. */
  gpuKnobs(): readonly GpuKnobs[]
  /** Whether the machine runs on battery; undefined without a battery or if it is not reported. */
  isOnBattery(): Promise<boolean | undefined>
  /** Seconds since a user's last input; undefined if it is not reported. */
  idleSeconds(): Promise<number | undefined>
  /** The hottest CPU sensor in degrees Celsius; undefined if none is readable. */
  cpuTemperature(): number | undefined
  /** Energy counters of the CPU packages, in microjoules below `range`; none if they cannot be read. */
  packageEnergy(): readonly { readonly microjoules: number; readonly range: number }[]
  /** Whether the system has such counters, readable or not. */
  hasPackageEnergy(): boolean
  /** Whether this process is in the foreground of its terminal; true if unknown. */
  isInForeground(): boolean
  /** Reports to the service manager that started this process, if any; a warning is logged if it cannot be reached. */
  notifier(env: Environment, log: Log): Notifier
}

/** Pages outside the JavaScript heap, by address. */
export interface SystemMemory {
  /** The unit of allocation and protection, in bytes. */
  readonly pageBytes: number
  /** Maps zeroed pages, private, readable and writable. @param bytes whole pages @returns undefined if denied */
  map(bytes: number): number | undefined
  /** Makes mapped pages readable and executable, no longer writable, and visible to instruction fetches. */
  makeExecutable(address: number, bytes: number): boolean
  unmap(address: number, bytes: number): void
}

export interface ThreadActivity {
  /** `runnable`: runs or waits for a CPU; `waiting`: sleeps or waits for a device; `stopped`: by a debugger or a signal. */
  readonly state: "runnable" | "waiting" | "stopped"
  /** CPU time since the thread's start, in milliseconds. */
  readonly cpuMs: number
}

/** The CPU's identification, for logs and as part of a calibration's key. Fields are undefined if not reported. */
export interface CpuInfo {
  /** `AMD EPYC 7763 64-Core Processor` */
  readonly model: string | undefined
  /** `AuthenticAMD` */
  readonly vendor: string | undefined
  /** `0xa0011d5` */
  readonly microcode: string | undefined
}

/** The order in which workers take CPUs: each gets a whole core while cores are left. */
export interface Placement {
  /** The given CPUs: one thread of each physical core, fastest cores first, then the other threads. */
  readonly order: readonly number[]
  /** Number of leading entries of `order` that are on distinct physical cores. */
  readonly cores: number
}

export interface Lock {
  release(): void
}

export type Locked =
  | { readonly kind: "locked"; readonly lock: Lock }
  /** Another process holds it; `process` is its id, or `unknown`. */
  | { readonly kind: "taken"; readonly process: string }
  /** The system offers no lock, or no directory for it is writable. */
  | { readonly kind: "unlockable" }

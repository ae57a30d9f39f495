/**
 * Logical CPUs of Windows, which are in processor groups of up to 64. A CPU's number here counts through the groups in
 * their order, as `os.cpus()` does.
 */
import { ptr } from "bun:ffi"
import { openedOnce } from "../once.ts"
import { openLibrary } from "./libraries.ts"

/** The pseudo-handles that GetCurrentProcess and GetCurrentThread return. */
export const THIS_PROCESS = -1
const THIS_THREAD = -2

/** THREAD_SET_INFORMATION | THREAD_QUERY_INFORMATION. */
const THREAD_ACCESS = 0x20 | 0x40

/** LOGICAL_PROCESSOR_RELATIONSHIP. */
const RELATION_PROCESSOR_CORE = 0

const signatures = {
  GetActiveProcessorGroupCount: { args: [], returns: "u16" },
  GetActiveProcessorCount: { args: ["u16"], returns: "u32" },
  GetProcessAffinityMask: { args: ["i64", "ptr", "ptr"], returns: "i32" },
  GetProcessGroupAffinity: { args: ["i64", "ptr", "ptr"], returns: "i32" },
  GetLogicalProcessorInformationEx: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  SetThreadGroupAffinity: { args: ["i64", "ptr", "ptr"], returns: "i32" },
  GetCurrentThreadId: { args: [], returns: "u32" },
  OpenThread: { args: ["u32", "i32", "u32"], returns: "u64" },
  CloseHandle: { args: ["u64"], returns: "i32" },
} as const

const kernel32 = openedOnce(() => openLibrary("kernel32.dll", signatures).symbols)

/** CPUs of one group as a mask. */
export interface GroupMask {
  readonly group: number
  readonly mask: bigint
}

/** A physical core. */
export interface Core extends GroupMask {
  /** Higher for faster cores of a hybrid CPU. */
  readonly efficiencyClass: number
}

/** What this process may use. */
export interface ProcessAffinity {
  /** Groups that the process's threads are in; several if it is not restricted on a current Windows. */
  readonly groups: readonly number[]
  /** CPUs of the process and of the system in the process's group; both 0 if its threads are in several groups. */
  readonly mask: bigint
  readonly systemMask: bigint
}

/** Functions of the system, in place of which tests pass their own. */
export interface Processors {
  /** The number of active CPUs of each group. */
  groupSizes(): readonly number[]
  /** @returns undefined if the system does not report it */
  processAffinity(): ProcessAffinity | undefined
  /** Empty if the system does not report them. */
  cores(): readonly Core[]
  currentThreadId(): number
  /** @param threadId undefined: the calling thread @returns false if the system refuses */
  setThreadAffinity(affinity: GroupMask, threadId: number | undefined): boolean
}

/** Undefined if `bun:ffi` is refused. */
export function systemProcessors(): Processors | undefined {
  const functions = kernel32()
  return functions && processorsOf(functions)
}

function processorsOf(functions: NonNullable<ReturnType<typeof kernel32>>): Processors {
  return {
    groupSizes: () =>
      Array.from({ length: functions.GetActiveProcessorGroupCount() }, (_, group) =>
        functions.GetActiveProcessorCount(group),
      ),

    processAffinity() {
      const [mask, systemMask] = [new BigUint64Array(1), new BigUint64Array(1)]
      const count = Uint16Array.of(MAX_GROUPS)
      const list = new Uint16Array(MAX_GROUPS)
      if (functions.GetProcessAffinityMask(THIS_PROCESS, mask, systemMask) === 0) return undefined
      const isListed = functions.GetProcessGroupAffinity(THIS_PROCESS, count, list) !== 0
      // Without a list, as under Wine, the process is where a machine with one group has it.
      const groups = isListed ? [...list.subarray(0, count[0])] : [0]
      return { groups, mask: mask[0]!, systemMask: systemMask[0]! }
    },

    cores() {
      const size = new Uint32Array(1)
      functions.GetLogicalProcessorInformationEx(RELATION_PROCESSOR_CORE, null, size)
      const records = new Uint8Array(size[0]!)
      if (records.length === 0) return []
      const isRead = functions.GetLogicalProcessorInformationEx(RELATION_PROCESSOR_CORE, records, size) !== 0
      return isRead ? parseCores(records) : []
    },

    currentThreadId: functions.GetCurrentThreadId,

    setThreadAffinity(affinity, threadId) {
      const structure = groupAffinity(affinity)
      if (threadId === undefined) return functions.SetThreadGroupAffinity(THIS_THREAD, ptr(structure), null) !== 0
      const handle = functions.OpenThread(THREAD_ACCESS, 0, threadId)
      if (BigInt(handle) === 0n) return false
      const isSet = functions.SetThreadGroupAffinity(handle as unknown as number, ptr(structure), null) !== 0
      functions.CloseHandle(handle)
      return isSet
    },
  }
}

/** More than Windows has. */
const MAX_GROUPS = 64

/** A GROUP_AFFINITY: the mask, the group's number, 6 reserved bytes. */
function groupAffinity({ group, mask }: GroupMask): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, mask, true)
  view.setUint16(8, group, true)
  return bytes
}

/**
 * Parses SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX records of cores: relationship and size of the record (4 bytes each),
 * flags, efficiency class, 20 reserved bytes, number of groups (2 bytes), GROUP_AFFINITY of each group; a core is in one.
 */
export function parseCores(records: Uint8Array): Core[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  const cores: Core[] = []
  for (let at = 0; at + 48 <= records.length; ) {
    const size = view.getUint32(at + 4, true)
    if (size < 48) break
    cores.push({
      efficiencyClass: view.getUint8(at + 9),
      mask: view.getBigUint64(at + 32, true),
      group: view.getUint16(at + 40, true),
    })
    at += size
  }
  return cores
}

/** The numbers of the CPUs in a mask, ascending. */
export function cpusIn({ group, mask }: GroupMask, groupSizes: readonly number[]): number[] {
  const first = groupSizes.slice(0, group).reduce((sum, size) => sum + size, 0)
  const cpus: number[] = []
  for (let bit = 0; mask >> BigInt(bit); bit++) if ((mask >> BigInt(bit)) & 1n) cpus.push(first + bit)
  return cpus
}

/** The masks of CPUs by number, one for each group that has any, in the order of the groups. */
export function groupMasks(cpus: Iterable<number>, groupSizes: readonly number[]): GroupMask[] {
  const masks = new Map<number, bigint>()
  const total = groupSizes.reduce((sum, size) => sum + size, 0)
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= total) throw new RangeError(`no CPU ${cpu}`)
    let [group, bit] = [0, cpu]
    while (bit >= groupSizes[group]!) bit -= groupSizes[group++]!
    masks.set(group, (masks.get(group) ?? 0n) | (1n << BigInt(bit)))
  }
  return [...masks].map(([group, mask]) => ({ group, mask })).sort((a, b) => a.group - b.group)
}

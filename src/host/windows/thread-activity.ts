/** Whether a thread of this process wants a CPU, and how much CPU time it has had. */
import { openedOnce } from "../once.ts"
import type { ThreadActivity } from "../platform.ts"
import { openLibrary } from "./libraries.ts"

const SYSTEM_PROCESS_INFORMATION = 5
const STATUS_SUCCESS = 0
const STATUS_INFO_LENGTH_MISMATCH = 0xc000_0004

/** KTHREAD_STATE: Ready, Running, Standby and DeferredReady; Waiting, and KWAIT_REASON Suspended. */
const RUNNABLE = [1, 2, 3, 7]
const WAITING = 5
const SUSPENDED = 5

/** Sizes and offsets of SYSTEM_PROCESS_INFORMATION and of the SYSTEM_THREAD_INFORMATION records that follow it. */
const PROCESS_BYTES = 0x100
const PROCESS_ID = 0x50
const THREAD_BYTES = 0x50
const THREAD_ID = 0x30
const THREAD_STATE = 0x44
const THREAD_WAIT_REASON = 0x48

const signatures = {
  NtQuerySystemInformation: { args: ["i32", "ptr", "u32", "ptr"], returns: "u32" },
} as const

const ntdll = openedOnce(() => openLibrary("ntdll.dll", signatures).symbols)

/** @returns undefined if the system does not report it or the thread has ended */
export function threadActivity(threadId: number): ThreadActivity | undefined {
  const processes = systemProcesses()
  return processes && activityIn(processes, process.pid, threadId)
}

/** The records of all processes and their threads; undefined if the system does not report them. */
function systemProcesses(): Uint8Array | undefined {
  const query = ntdll()?.NtQuerySystemInformation
  if (!query) return undefined
  const length = new Uint32Array(1)
  // Processes may start between two calls, so the second buffer has room to spare.
  for (let bytes = 2 ** 19; bytes <= 2 ** 26; bytes = Math.max(2 * bytes, length[0]!)) {
    const records = new Uint8Array(bytes)
    const status = query(SYSTEM_PROCESS_INFORMATION, records, bytes, length)
    if (status === STATUS_SUCCESS) return records.subarray(0, length[0])
    if (status !== STATUS_INFO_LENGTH_MISMATCH) return undefined
  }
  return undefined
}

/** @param records as NtQuerySystemInformation returns them for SYSTEM_PROCESS_INFORMATION */
export function activityIn(records: Uint8Array, processId: number, threadId: number): ThreadActivity | undefined {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  for (let at = 0; at + PROCESS_BYTES <= records.length; ) {
    if (view.getUint32(at + PROCESS_ID, true) === processId) {
      const threads = view.getUint32(at + 4, true)
      for (
        let thread = at + PROCESS_BYTES;
        thread < at + PROCESS_BYTES + threads * THREAD_BYTES;
        thread += THREAD_BYTES
      )
        if (view.getUint32(thread + THREAD_ID, true) === threadId) return activityOf(view, thread)
      return undefined
    }
    const next = view.getUint32(at, true)
    if (next === 0) return undefined
    at += next
  }
  return undefined
}

/** Kernel and user time are the first two fields, in units of 100 ns. */
function activityOf(view: DataView, at: number): ThreadActivity {
  const ticks = view.getBigInt64(at, true) + view.getBigInt64(at + 8, true)
  return { state: stateOf(view, at), cpuMs: Number(ticks) / 1e4 }
}

function stateOf(view: DataView, at: number): ThreadActivity["state"] {
  const state = view.getUint32(at + THREAD_STATE, true)
  if (RUNNABLE.includes(state)) return "runnable"
  return state === WAITING && view.getUint32(at + THREAD_WAIT_REASON, true) === SUSPENDED ? "stopped" : "waiting"
}

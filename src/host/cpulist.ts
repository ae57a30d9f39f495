/** Linux's text format for a set of CPUs: `0-3,8,10-11`, with strides `0-10:2/4` (cpuset(7), "List format"). */

/** Linux supports at most 8192 CPUs. */
const MAX_CPU = 8191

/** A parsed list: CPUs (ascending, distinct, at least one), the empty list, or the reason why the text is malformed. */
export type Cpulist =
  | { readonly kind: "cpus"; readonly cpus: readonly number[] }
  | { readonly kind: "empty" }
  | { readonly kind: "malformed"; readonly reason: string }

/**
 * Parses a cpulist; leading and trailing white space is ignored.
 *
 * A range `a-b:used/group` stands for the first `used` CPUs of every `group`, counted from `a`.
 */
export function parseCpulist(text: string): Cpulist {
  const list = text.trim()
  if (list === "") return { kind: "empty" }
  const cpus = new Set<number>()
  for (const part of list.split(",")) {
    const reason = addPart(part, cpus)
    if (reason !== undefined) return { kind: "malformed", reason }
  }
  if (cpus.size === 0) return { kind: "empty" }
  return { kind: "cpus", cpus: [...cpus].sort((a, b) => a - b) }
}

/** Formats CPUs, in any order, as the shortest list without strides: `0-3,8`; `""` for none. */
export function formatCpulist(cpus: Iterable<number>): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b)
  const runs: [first: number, last: number][] = []
  for (const cpu of sorted) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] + 1 === cpu) run[1] = cpu
    else runs.push([cpu, cpu])
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",")
}

/** Adds the CPUs of one part: `8`, `0-3` or `0-10:2/4`. @returns the reason if it is malformed */
function addPart(part: string, cpus: Set<number>): string | undefined {
  const match = /^(\d+)(?:-(\d+)(?::(\d+)\/(\d+))?)?$/.exec(part)
  if (match === null) return `"${part}" is neither a CPU nor a range of CPUs`
  const first = Number(match[1])
  const last = Number(match[2] ?? first)
  const used = Number(match[3] ?? 1)
  const group = Number(match[4] ?? 1)
  if (last > MAX_CPU || first > MAX_CPU) return `"${part}" goes beyond CPU ${MAX_CPU}`
  if (last < first) return `the range "${part}" ends before it starts`
  if (group === 0 || used > group) return `the stride of "${part}" takes ${used} of every ${group} CPUs`
  for (let cpu = first; cpu <= last; cpu++) if ((cpu - first) % group < used) cpus.add(cpu)
  return undefined
}

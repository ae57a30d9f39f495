/** The kinds of core of a machine whose cores differ in design: P and E cores, or big.LITTLE. */
import { formatCpulist } from "./cpulist.ts"

/** Cores of one design. */
export interface CoreKind {
  /** In the system's terms: `P cores`, `cores of capacity 446`. */
  readonly name: string
  /** Its logical CPUs, ascending. */
  readonly cpus: readonly number[]
}

/** The kinds that have any of the CPUs, with these CPUs; none if the CPUs are alike. */
export function kindsAmong(kinds: readonly CoreKind[], cpus: Iterable<number>): CoreKind[] {
  const wanted = new Set(cpus)
  const found = kinds
    .map(({ name, cpus }) => ({ name, cpus: cpus.filter(cpu => wanted.has(cpu)) }))
    .filter(({ cpus }) => cpus.length > 0)
  return found.length > 1 ? found : []
}

/** Groups CPUs by a measure of their cores' speed, fastest first. CPUs whose measure is 0 are in no kind. */
export function kindsBySpeed(
  cpus: readonly { readonly cpu: number; readonly speed: number }[],
  nameOf: (speed: number) => string,
): CoreKind[] {
  const bySpeed = Map.groupBy(cpus, ({ speed }) => speed)
  return [...bySpeed]
    .filter(([speed]) => speed > 0)
    .toSorted(([a], [b]) => b - a)
    .map(([speed, members]) => ({ name: nameOf(speed), cpus: members.map(({ cpu }) => cpu).toSorted((a, b) => a - b) }))
}

/** `P cores (CPUs 0-7)`. */
export const describeKind = ({ name, cpus }: CoreKind): string => `${name} (CPUs ${formatCpulist(cpus)})`

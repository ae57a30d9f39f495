/**
 * Cores that a schedule is made for: latencies in cycles, and how many instructions each part of a core starts in one.
 * Order matters more than exactness: out-of-order execution evens out what a table gets wrong.
 */
import type { Instruction } from "../assembler/table.ts"

/** Parts of a core; a vector instruction takes from `vector` and, of some kinds, from another one too. */
const UNITS = ["issue", "vector", "multiply", "shift", "compare", "load", "store"] as const
export type Unit = (typeof UNITS)[number]

export interface Machine {
  readonly name: string
  /** Starts a cycle, by unit in the order of `UNITS`; every instruction takes from `issue`. */
  readonly capacity: readonly number[]
  /** Units beyond `vector` that vector instructions take from, by mnemonic. */
  readonly units: Readonly<Record<string, Unit>>
  readonly latency: Readonly<Record<string, number>>
  /** Of instructions without an entry. */
  readonly otherLatency: number
}

const VECTOR_UNITS: Readonly<Record<string, Unit>> = {
  vpmuludq: "multiply",
  vpmadd52luq: "multiply",
  vpmadd52huq: "multiply",
  vpsrlq: "shift",
  vpsllq: "shift",
  vpsraq: "shift",
  vpminuq: "shift",
  vpshufb: "shift",
  vpcmpgtq: "compare",
  vpcmpuq: "compare",
  vpcmpq: "compare",
}

const capacity = (starts: Readonly<Record<Unit, number>>) => UNITS.map(unit => starts[unit])

/** AMD Zen 3 and its like: four vector pipes of 256 bits, two of them multiply, the two others shift. */
export const zen3: Machine = {
  name: "zen3",
  capacity: capacity({ issue: 6, vector: 4, multiply: 2, shift: 2, compare: 2, load: 2, store: 1 }),
  units: VECTOR_UNITS,
  latency: { vpmuludq: 3, vmovdqu: 7, vpbroadcastq: 8, vmovmskpd: 5, mov: 4 },
  otherLatency: 1,
}

/** Intel Sapphire Rapids and its like: two vector pipes of 512 bits, both multiply, one shifts. */
export const sapphireRapids: Machine = {
  name: "sapphire-rapids",
  capacity: capacity({ issue: 6, vector: 2, multiply: 2, shift: 1, compare: 1, load: 2, store: 1 }),
  units: VECTOR_UNITS,
  latency: {
    vpmuludq: 5,
    vpmadd52luq: 4,
    vpmadd52huq: 4,
    vmovdqu64: 7,
    vpbroadcastq: 7,
    vpcmpuq: 3,
    vpcmpq: 3,
    kmovw: 3,
    mov: 5,
  },
  otherLatency: 1,
}

export type MemoryAccess = "none" | "read" | "write"

/** What an instruction takes of a cycle's capacity: a bit for each unit, in the order of `UNITS`. */
export function unitsOf(row: Instruction, machine: Machine, access: MemoryAccess): number {
  const known = UNITS_OF.get(machine) ?? new Map<Instruction, Partial<Record<MemoryAccess, number>>>()
  UNITS_OF.set(machine, known)
  const ofRow = known.get(row) ?? {}
  known.set(row, ofRow)
  ofRow[access] ??= findUnits(row, machine, access).reduce((bits, unit) => bits | (1 << UNITS.indexOf(unit)), 0)
  return ofRow[access]
}

const UNITS_OF = new WeakMap<Machine, Map<Instruction, Partial<Record<MemoryAccess, number>>>>()

function findUnits(row: Instruction, machine: Machine, access: MemoryAccess): Unit[] {
  const units: Unit[] = ["issue"]
  if (access === "read") units.push("load")
  if (access === "write") units.push("store")
  const isMove = row.mnemonic.startsWith("vmovdqu") || row.mnemonic === "vpbroadcastq"
  if (isMove || !row.operands.some(({ register }) => register?.endsWith("mm"))) return units
  const special = machine.units[row.mnemonic]
  return special ? [...units, "vector", special] : [...units, "vector"]
}

/** The x86-64 cores that kernels are scheduled for. */
import type { CoreModel } from "../../compiler/architecture.ts"
import type { X64Instruction } from "./architecture.ts"

/** Execution ports of the model. A vector instruction occupies `vector` and, depending on its kind, a second port. */
const PORTS = ["issue", "vector", "multiply", "shift", "compare", "load", "store"] as const
type Port = (typeof PORTS)[number]

/** The second port of a vector instruction, by mnemonic. */
const SPECIAL_PORTS: Readonly<Record<string, Port>> = {
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

interface Core {
  /** Instructions that each port starts per cycle; every instruction occupies `issue`. */
  readonly capacity: Readonly<Record<Port, number>>
  /** Latency in cycles, by mnemonic. */
  readonly latency: Readonly<Record<string, number>>
  /** Latency in cycles of all other instructions. */
  readonly otherLatency: number
}

const coreModel = (name: string, { capacity, latency, otherLatency }: Core): CoreModel => ({
  name,
  capacity: PORTS.map(port => capacity[port]),
  portsOf: (instruction: X64Instruction) => portsOf(instruction).map(port => [PORTS.indexOf(port), 1] as const),
  latencyOf: ({ form }) => latency[form.mnemonic] ?? otherLatency,
})

function portsOf({ form, operands }: X64Instruction): Port[] {
  const ports: Port[] = ["issue"]
  const memory = operands.findIndex(({ kind }) => kind === "memory")
  if (memory >= 0) ports.push(form.operands[memory]!.write ? "store" : "load")
  const isMove = form.mnemonic.startsWith("vmovdqu") || form.mnemonic === "vpbroadcastq"
  if (isMove || !form.operands.some(({ register }) => register?.endsWith("mm"))) return ports
  const special = SPECIAL_PORTS[form.mnemonic]
  return special ? [...ports, "vector", special] : [...ports, "vector"]
}

/** AMD Zen 3 and similar cores: four 256-bit vector pipes, of which two multiply and the other two shift. */
export const zen3 = coreModel("zen3", {
  capacity: { issue: 6, vector: 4, multiply: 2, shift: 2, compare: 2, load: 2, store: 1 },
  latency: { vpmuludq: 3, vmovdqu: 7, vpbroadcastq: 8, vmovmskpd: 5, mov: 4 },
  otherLatency: 1,
})

/** Intel Sapphire Rapids and similar cores: two 512-bit vector pipes, of which both multiply and one shifts. */
export const sapphireRapids = coreModel("sapphire-rapids", {
  capacity: { issue: 6, vector: 2, multiply: 2, shift: 1, compare: 1, load: 2, store: 1 },
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
})

/**
 * Latencies in cycles, by mnemonic, of the cores that a schedule is made for, and how many instructions they start a
 * cycle. Order matters more than exactness: out-of-order execution evens out what a table gets wrong.
 */
export interface Machine {
  readonly name: string
  readonly latency: Readonly<Record<string, number>>
  /** Of instructions without an entry. */
  readonly otherLatency: number
  /** Instructions started a cycle, all ports together. */
  readonly width: number
}

/** AMD Zen 3 and its like: four vector pipes of 256 bits, two of them multiply, two others shift. */
export const zen3: Machine = {
  name: "zen3",
  latency: { vpmuludq: 3, vmovdqu: 7, vpbroadcastq: 8, vmovmskpd: 5, mov: 4, mulx: 4, imul: 3, vpcmpgtq: 1 },
  otherLatency: 1,
  width: 4,
}

/** Intel Sapphire Rapids and its like: two vector pipes of 512 bits, both multiply, one shifts. */
export const sapphireRapids: Machine = {
  name: "sapphire-rapids",
  latency: {
    vpmuludq: 5,
    vpmadd52luq: 4,
    vpmadd52huq: 4,
    vmovdqu64: 7,
    vpbroadcastq: 7,
    vpcmpuq: 3,
    kmovw: 3,
    mov: 5,
    mulx: 4,
    imul: 3,
  },
  otherLatency: 1,
  width: 2,
}

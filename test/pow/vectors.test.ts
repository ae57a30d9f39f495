import { describe, expect, test } from "bun:test"
import { INITIAL_EXTERNAL, INTERNAL, INTERNAL_DIAGONAL, TERMINAL_EXTERNAL } from "../../src/pow/constants.ts"
import { nonceHash } from "../../src/pow/nonce-hash.ts"
import { permute } from "../../src/pow/poseidon2.ts"
import permutations from "../vectors/permutation.json"
import constants from "../vectors/poseidon2-constants.json"

const vectors: { header: string; nonce: string; hash: string }[] = (
  await Bun.file(new URL("../vectors/nonce-hash.jsonl", import.meta.url)).text()
)
  .trim()
  .split("\n")
  .map(line => JSON.parse(line))

describe("vectors from the chain's code", () => {
  test("constants", () => {
    expect(INITIAL_EXTERNAL.flat()).toEqual(constants.initialExternal.flat().map(BigInt))
    expect(INTERNAL.slice()).toEqual(constants.internal.map(BigInt))
    expect(TERMINAL_EXTERNAL.flat()).toEqual(constants.terminalExternal.flat().map(BigInt))
    expect(INTERNAL_DIAGONAL.slice()).toEqual(constants.internalDiagonal.map(BigInt))
  })

  test("permutation", () => {
    for (const { in: input, out } of permutations) expect(permute(input.map(BigInt))).toEqual(out.map(BigInt))
  })

  test(`${vectors.length} nonce hashes`, () => {
    for (const { header, nonce, hash } of vectors)
      expect(nonceHash(Uint8Array.fromHex(header), Uint8Array.fromHex(nonce)).toHex()).toBe(hash)
  })
})

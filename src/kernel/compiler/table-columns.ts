import type { ConstantTable, TableEntry } from "../ops.ts"

/** The words that a rolled step reads per entry of its tables: each derived from a constant of the entry, and kept once. */
export class TableColumns {
  readonly #columns = new Map<
    string,
    { readonly index: number; readonly wordOf: (entry: readonly bigint[]) => bigint }
  >()

  /** Words per entry. */
  get size(): number {
    return this.#columns.size
  }

  /**
   * @param name identifies the derivation among those of all vocabularies
   * @param derive computes the word, modulo 2^64, from the constant
   * @returns the index of the derived word within an entry
   */
  indexOf({ column }: TableEntry, name: string, derive: (c: bigint) => bigint): number {
    const key = `${column} ${name}`
    let known = this.#columns.get(key)
    if (!known) {
      known = { index: this.size, wordOf: entry => BigInt.asUintN(64, derive(entry[column]!)) }
      this.#columns.set(key, known)
    }
    return known.index
  }

  /** The words of all entries of a table, in order. */
  wordsOf(table: ConstantTable): bigint[] {
    return table.flatMap(entry => [...this.#columns.values()].map(({ wordOf }) => wordOf(entry)))
  }
}

/**
 * The forms in which the arithmetic of limbs is rendered. All compute the same; compilers make different machine code
 * of them. `docs/gpu.md` has the counts.
 */

export interface LimbForm {
  /**
   * Whether a carry is used right after the operation that makes it (`flag`), or several are kept as values, which
   * suits instruction sets that have many carry registers (`values`).
   */
  readonly carries: "flag" | "values"
  /**
   * How words of weight φ² and φ³ are folded: by additions of pairs, three of which NVIDIA's architectures up to sm_100
   * add at a time; word by word; or by a wide multiply-add with 2^32 − 1, which moves work from the logic pipe to the
   * multiplier.
   */
  readonly fold: "pairs" | "words" | "multiplier"
}

export const LIMB_FORMS = {
  pairs: { carries: "flag", fold: "pairs" },
  words: { carries: "flag", fold: "words" },
  multiplier: { carries: "flag", fold: "multiplier" },
  carries: { carries: "values", fold: "words" },
} as const satisfies Record<string, LimbForm>

export type LimbFormName = keyof typeof LIMB_FORMS

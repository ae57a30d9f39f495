import { expect, test } from "bun:test"
import { DIGESTS_FILE, KERNEL_DIGESTS } from "../../scripts/kernel/digests.ts"

/**
 * To accept an intended change of generated code, run `npm run kernel -- digest --write` and explain it in the commit.
 */
const committed = await Bun.file(DIGESTS_FILE).json()

test("every kernel has a committed digest", () => {
  expect(Object.keys(committed)).toEqual(Object.keys(KERNEL_DIGESTS))
})

test.each(Object.entries(KERNEL_DIGESTS))("the code of %s matches its committed digest", (name, digest) => {
  expect(digest()).toEqual(committed[name])
})

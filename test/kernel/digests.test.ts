import { expect, test } from "bun:test"
import { DIGESTS_FILE, KERNEL_DIGESTS } from "../../scripts/kernel/digests.ts"

/** A change of generated code is deliberate: `npm run kernel -- digest --write` accepts it, and its commit says why. */
const committed = await Bun.file(DIGESTS_FILE).json()

test("every kernel has a committed digest", () => {
  expect(Object.keys(committed)).toEqual(Object.keys(KERNEL_DIGESTS))
})

test.each(Object.entries(KERNEL_DIGESTS))("the code of %s is the committed code", (name, digest) => {
  expect(digest()).toEqual(committed[name])
})

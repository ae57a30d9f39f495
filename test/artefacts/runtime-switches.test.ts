/** No published executable obeys the runtime's own variables, whether or not this machine can run it. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { TARGETS } from "../../scripts/release/targets.ts"
import { switchesIn } from "../../scripts/runtime-switches.ts"
import { unpack } from "./artefacts.ts"

test.each(TARGETS.map(({ name }) => name))("%s", name => {
  const found = switchesIn(readFileSync(unpack(name)))
  expect([...new Set(found.map(({ name }) => name))]).toEqual([])
})

/** What 0.1.0 showed to the outside is still there under the same name. */
import { beforeAll, describe, expect, test } from "bun:test"
import { ExitCode } from "../../src/errors.ts"
import committed from "./0.1.0/names.json" with { type: "json" }
import { observedNames, type PublicNames } from "./observed-names.ts"

const { exitCodes, ...names } = committed

let observed: PublicNames

beforeAll(async () => {
  observed = await observedNames(names)
}, 120_000)

describe("names of 0.1.0 are kept", () => {
  test.each(Object.keys(names) as (keyof typeof names)[])("%s", kind => {
    const seen = new Set(observed[kind])
    expect(names[kind].filter(name => !seen.has(name))).toEqual([])
  })

  test("exit codes", () => {
    const codes = new Set<number>(Object.values(ExitCode))
    expect(exitCodes.filter(code => !codes.has(code))).toEqual([])
  })
})

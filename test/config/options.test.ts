import { expect, test } from "bun:test"
import { COMMANDS, type Command } from "../../src/config/commands.ts"
import {
  ENGINE_SUGGESTIONS,
  fileKeyOf,
  flagsOf,
  OPTION_NAMES,
  optionOf,
  optionsOf,
  variablesOf,
} from "../../src/config/options.ts"
import { usageArgs } from "../../src/config/usage.ts"
import { KERNELS } from "../../src/engines/cpu/kernels.ts"

const commands = Object.keys(COMMANDS) as Command[]

test("no two options of a command share a flag, and no two options share a variable or a key", () => {
  for (const command of commands) {
    const flags = optionsOf(command).flatMap(flagsOf)
    expect(new Set(flags).size, command).toBe(flags.length)
  }
  for (const namesOf of [variablesOf, fileKeyOf]) {
    const names = OPTION_NAMES.flatMap(name => namesOf(name) ?? [])
    expect(new Set(names).size).toBe(names.length)
  }
})

test("suggested engines exist", () => {
  expect(["auto", ...Object.keys(KERNELS)]).toEqual(expect.arrayContaining([...ENGINE_SUGGESTIONS]))
})

test("every default is accepted by its parser", () => {
  for (const name of OPTION_NAMES) {
    const { parser, default: standard } = optionOf(name)
    if (standard !== undefined) expect(() => parser.parse(standard), name).not.toThrow()
  }
})

test("every option except a boolean has a placeholder, and a secret has no default", () => {
  for (const name of OPTION_NAMES) {
    const { parser, value, secret, default: standard } = optionOf(name)
    expect(value === undefined, name).toBe(parser.kind === "boolean")
    if (secret) expect(standard, name).toBeUndefined()
  }
})

test("flags, variables and keys are those of the established miner", () => {
  expect(
    optionsOf("serve").map(name => [`--${flagsOf(name)[0]}`, variablesOf(name).join(" "), fileKeyOf(name)]),
  ).toMatchSnapshot()
  expect(flagsOf("cpuWorkers")).toEqual(["cpu-workers", "workers"])
})

test("the usage text lists every option of the command", () => {
  for (const command of commands) {
    const flags = optionsOf(command).map(name => flagsOf(name)[0]!)
    expect(Object.keys(usageArgs(command))).toEqual(expect.arrayContaining(flags))
  }
})

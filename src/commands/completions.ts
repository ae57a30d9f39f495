/** `completions`: prints a shell's completion script. */

import { COMPLETIONS } from "../config/completions.ts"
import type { Config } from "../config/config.ts"
import { ExitCode, OperatorError } from "../errors.ts"

export async function run({ positionals }: Config<"completions">): Promise<void> {
  const [shell = ""] = positionals
  const script = Object.hasOwn(COMPLETIONS, shell) ? COMPLETIONS[shell] : undefined
  if (!script) {
    const shells = Object.keys(COMPLETIONS).join(", ")
    throw new OperatorError(`completions needs a shell, one of ${shells}`, ExitCode.usage)
  }
  process.stdout.write(script())
}

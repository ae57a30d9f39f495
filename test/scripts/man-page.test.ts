import { expect, test } from "bun:test"
import { manPage } from "../../scripts/man-page.ts"
import { COMMANDS } from "../../src/config/commands.ts"
import { flagsOf, OPTION_NAMES } from "../../src/config/options.ts"
import { ExitCode } from "../../src/errors.ts"

const page = manPage()

test("the manual page names every command, flag and exit code", () => {
  const plain = page.replaceAll("\\-", "-")
  for (const command of Object.keys(COMMANDS)) expect(plain).toContain(`\\fB${command}\\fR`)
  for (const flag of OPTION_NAMES.flatMap(flagsOf)) expect(plain).toContain(`\\fB--${flag}\\fR`)
  for (const code of Object.values(ExitCode)) expect(plain).toContain(`\n.TP\n${code}\n`)
})

const lacks = Bun.which("mandoc") ? "" : " (skipped: mandoc is not installed)"

test.skipIf(lacks !== "")(`the manual page has no errors${lacks}`, () => {
  const { stdout } = Bun.spawnSync(["mandoc", "-T", "lint", "-W", "warning"], { stdin: Buffer.from(page) })
  // The page has no date, so that it depends on the version only.
  const findings = stdout
    .toString()
    .split("\n")
    .filter(line => line !== "" && !line.includes("missing date"))
  expect(findings).toEqual([])
})

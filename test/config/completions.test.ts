import { describe, expect, test } from "bun:test"
import { COMMANDS } from "../../src/config/commands.ts"
import { COMPLETIONS } from "../../src/config/completions.ts"
import { flagsOf, optionsOf } from "../../src/config/options.ts"

const commands = Object.keys(COMMANDS).sort()

describe.skipIf(!Bun.which("bash"))("bash", () => {
  /** What bash offers for the last of `words`, which follow the program's name. */
  function offered(...words: string[]): string[] {
    const line = ["quantus-miner", ...words].map(word => `'${word}'`).join(" ")
    const script = `${COMPLETIONS["bash"]!()}
      COMP_WORDS=(${line}); COMP_CWORD=${words.length}
      _quantus_miner 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = Bun.spawnSync(["bash", "-c", script], { cwd: import.meta.dir })
    expect(stderr.toString()).toBe("")
    return stdout
      .toString()
      .split("\n")
      .filter(word => word !== "")
      .sort()
  }

  test("the first word is a command", () => {
    expect(offered("")).toEqual(["--help", "--version", ...commands])
    expect(offered("be")).toEqual(["benchmark"])
  })

  test("after a command come its flags", () => {
    const flags = optionsOf("benchmark").flatMap(name => flagsOf(name).map(flag => `--${flag}`))
    expect(offered("benchmark", "--")).toEqual([...flags, "--help"].sort())
    expect(offered("node", "--se")).toEqual([])
    expect(offered("completions", "f")).toEqual(["fish"])
  })

  test("values are choices or files", () => {
    expect(offered("serve", "--log-format", "")).toEqual(["json", "pretty"])
    expect(offered("serve", "--log-format", "=", "j")).toEqual(["json"])
    expect(offered("serve", "--engine", "avx2")).toEqual(["avx2"])
    expect(offered("serve", "--config", "completions.t")).toEqual(["completions.test.ts"])
    expect(offered("serve", "--cpu-workers", "")).toEqual([])
  })
})

const lacks = (shell: string): string => (Bun.which(shell) ? "" : ` (skipped: ${shell} is not installed)`)

test.skipIf(!Bun.which("zsh"))(`zsh accepts its script${lacks("zsh")}`, () => {
  const script = `autoload -U compinit && compinit -u -D; ${COMPLETIONS["zsh"]!()}; print \${_comps[quantus-miner]}`
  const { stdout, stderr } = Bun.spawnSync(["zsh", "-f", "-c", script])
  expect(stderr.toString()).toBe("")
  expect(stdout.toString()).toBe("_quantus_miner\n")
})

test.skipIf(!Bun.which("fish"))(`fish offers commands, flags and values${lacks("fish")}`, () => {
  const complete = (line: string) => {
    const script = `${COMPLETIONS["fish"]!()}complete -C '${line}'`
    const { stdout } = Bun.spawnSync(["fish", "--no-config", "-c", script])
    return stdout
      .toString()
      .split("\n")
      .map(entry => entry.split("\t")[0]!)
      .filter(word => word !== "")
      .sort()
  }
  expect(complete("quantus-miner ")).toEqual(commands)
  expect(complete("quantus-miner serve --log-f")).toEqual(["--log-format"])
  expect(complete("quantus-miner serve --log-format ")).toEqual(["json", "pretty"])
})

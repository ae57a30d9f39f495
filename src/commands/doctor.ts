/** `doctor`: checks everything that mining on this machine needs, and gives the remedy for each fault. */
import { systemClock as clock } from "../clock.ts"
import { type Config, resolveConfig } from "../config/config.ts"
import { systemFiles } from "../config/files.ts"
import { ExitCode, type OperatorError } from "../errors.ts"
import { type Checked, checks, type Finding, type Level, type Topic } from "./doctor-checks.ts"

const WORDS: Readonly<Record<Level, string>> = { ok: "ok", warning: "warning", wrong: "WRONG" }

/** Prints one line per finding, or one JSON object; exits with 1 if something is wrong. */
export async function run(config: Config<"doctor">): Promise<void> {
  const findings: Finding[] = config.notes
    .filter(({ level }) => level === "warn")
    .map(({ message }) => ({ topic: "configuration", level: "warning", text: message }))
  report([...findings, ...(await findingsOf(config))], config.settings.json)
}

/** Reports a configuration that cannot be resolved, and what can be checked without it. */
export async function reportProblem(error: OperatorError, json: boolean): Promise<void> {
  const problem: Finding = { topic: "configuration", level: "wrong", text: error.message }
  const defaults = await resolveConfig("benchmark", [], process.env, systemFiles).catch(() => undefined)
  report([problem, ...(defaults ? await findingsOf({ ...defaults, sources: [] }) : [])], json)
}

async function findingsOf(config: Checked): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const [topic, check] of checks(config, clock)) findings.push(...(await outcomeOf(topic, check)))
  return findings
}

async function outcomeOf(topic: Topic, check: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await check()
  } catch (error) {
    return [{ topic, level: "wrong", text: error instanceof Error ? error.message : String(error) }]
  }
}

function report(findings: readonly Finding[], json: boolean): void {
  const isWrong = findings.some(({ level }) => level === "wrong")
  if (json) console.log(JSON.stringify({ findings, ok: !isWrong }))
  else
    for (const { topic, level, text } of findings) console.log(`${WORDS[level].padEnd(8)} ${topic.padEnd(14)} ${text}`)
  if (isWrong) process.exitCode = ExitCode.failure
}

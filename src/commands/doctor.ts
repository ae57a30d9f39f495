/** `doctor`: checks everything that mining on this machine needs, and gives the remedy for each fault. */
import { systemClock as clock } from "../clock.ts"
import type { Config } from "../config/config.ts"
import { ExitCode, type OperatorError } from "../errors.ts"
import { checks, type Finding, type Level, type Topic } from "./doctor-checks.ts"

const WORDS: Readonly<Record<Level, string>> = { ok: "ok", warning: "warning", wrong: "WRONG" }

/** Prints one line per finding, or one JSON object; exits with 1 if something is wrong. */
export async function run(config: Config<"doctor">): Promise<void> {
  const findings: Finding[] = config.notes
    .filter(({ level }) => level === "warn")
    .map(({ message }) => ({ topic: "configuration", level: "warning", text: message }))
  for (const [topic, check] of checks(config, clock)) findings.push(...(await outcomeOf(topic, check)))
  report(findings, config.settings.json)
}

/** Reports a configuration that cannot be resolved. */
export function reportProblem(error: OperatorError, json: boolean): void {
  report([{ topic: "configuration", level: "wrong", text: error.message }], json)
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

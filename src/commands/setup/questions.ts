/** Asks for what flags did not answer. */
import { createConsola } from "consola"
import { ExitCode, OperatorError } from "../../errors.ts"

export interface Question {
  readonly text: string
  /** The flag that answers it: `--url`. */
  readonly flag: string
  /** What an empty answer means; absent: an answer is required. */
  readonly standard?: string
  /** Why an answer cannot be used, as a sentence; undefined if it can. The question is then asked again. */
  readonly problem?: (answer: string) => string | undefined
}

export interface Asker {
  ask(question: Question): Promise<string>
  confirm(text: string, flag: string, standard: boolean): Promise<boolean>
  choose<const T extends string>(text: string, flag: string, choices: Readonly<Record<T, string>>): Promise<T>
}

const cancelled = () => new OperatorError("setup was cancelled; nothing was written", ExitCode.failure)

/** Asks on the terminal. */
export function terminalAsker(): Asker {
  const consola = createConsola({ stdout: process.stderr, stderr: process.stderr })
  const required = async (question: Question): Promise<string> => {
    const { text, standard, problem = () => undefined } = question
    const options = standard === undefined ? {} : { default: standard, placeholder: standard }
    const typed = await consola.prompt(text, { type: "text", cancel: "null", ...options })
    if (typed === null) throw cancelled()
    // An empty answer without a default is undefined, other than consola's type says.
    const answer = (typed as string | undefined)?.trim() || standard
    const why = answer === undefined ? "an answer is required" : problem(answer)
    if (why === undefined) return answer!
    consola.warn(why)
    return required(question)
  }
  return {
    ask: required,
    async confirm(text, _flag, standard) {
      const answer = await consola.prompt(text, { type: "confirm", initial: standard, cancel: "null" })
      if (answer === null) throw cancelled()
      return answer
    },
    async choose(text, _flag, choices) {
      const options = Object.entries<string>(choices).map(([value, label]) => ({ value, label }))
      const answer = await consola.prompt(text, { type: "select", options, cancel: "null" })
      // With `cancel: "null"`, consola's type lacks the null that it resolves to.
      if ((answer as unknown) === null) throw cancelled()
      return answer as unknown as keyof typeof choices
    },
  }
}

/** Takes every standard answer, without a terminal. */
export const standardAsker: Asker = {
  async ask({ flag, standard }) {
    if (standard !== undefined) return standard
    throw new OperatorError(`setup needs ${flag}: specify it, or run setup on a terminal`, ExitCode.usage)
  },
  confirm: async (_text, _flag, standard) => standard,
  async choose(_text, flag) {
    throw new OperatorError(`setup needs ${flag}: specify it, or run setup on a terminal`, ExitCode.usage)
  },
}

/** Asks for what flags did not answer. */
import { createConsola } from "consola"
import { ExitCode, OperatorError } from "../../errors.ts"

export interface Question {
  readonly text: string
  /** The flag that answers it: `--url`. */
  readonly flag: string
  /** What an empty answer means; absent: an answer is required. */
  readonly standard?: string
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
    const { text, standard } = question
    const options = standard === undefined ? {} : { default: standard, placeholder: standard }
    const answer = await consola.prompt(text, { type: "text", cancel: "null", ...options })
    if (answer === null) throw cancelled()
    return answer === "" ? required(question) : answer
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

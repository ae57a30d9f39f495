import { type Answer, plain } from "./answer.ts"

/** Formats a refusal: as plain text, or as the JSON object of the job API. */
export type ErrorFormat = (status: number, message: string) => Answer

/** A request that is answered with an error of the HTTP layer. */
export class Refusal extends Error {
  override readonly name = "Refusal"
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }

  answer(format: ErrorFormat = plain): Answer {
    const answer = format(this.status, this.message)
    return { ...answer, headers: { ...answer.headers, ...this.headers } }
  }
}

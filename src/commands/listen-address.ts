import { lookup } from "node:dns/promises"
import { ExitCode, OperatorError } from "../errors.ts"

/** The IP address of `--host`. @throws OperatorError (config) where the name has none */
export async function listenAddress(host: string): Promise<string> {
  try {
    return (await lookup(host)).address
  } catch {
    throw new OperatorError(`--host ${host} has no address: give an IP address of this machine`, ExitCode.config)
  }
}

import { lookup } from "node:dns/promises"
import { ExitCode, OperatorError } from "../errors.ts"

/** Resolves `--host` to an IP address. @throws OperatorError (config) if the name has no address */
export async function listenAddress(host: string): Promise<string> {
  try {
    return (await lookup(host)).address
  } catch {
    throw new OperatorError(`--host ${host} has no address: specify an IP address of this machine`, ExitCode.config)
  }
}

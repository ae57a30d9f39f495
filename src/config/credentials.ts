/** Finds a credential: the value or file of the highest layer that specifies either, or one of the service manager. */
import { join } from "node:path"
import type { Environment } from "../environment.ts"
import type { Files } from "./files.ts"
import { type GivenOptions, givenError, parseGiven } from "./given.ts"
import { type OptionName, optionOf } from "./options.ts"
import { looseMode, PASSWORD, PIN, type Secret, type SecretKind, secretFile, secretValue, TOKEN } from "./secrets.ts"

export interface CredentialOptions {
  readonly value: OptionName
  readonly file: OptionName
  readonly kind: SecretKind
}

export const CREDENTIALS = {
  token: { value: "authToken", file: "authTokenFile", kind: TOKEN },
  pin: { value: "tlsCertSha256", file: "tlsCertSha256File", kind: PIN },
  password: { value: "password", file: "passwordFile", kind: PASSWORD },
} as const satisfies Record<string, CredentialOptions>

/**
 * @param levels highest first
 * @param warn receives a warning about a file that other users can read or change
 * @throws OperatorError if one level specifies both, or the credential is unusable
 */
export function findCredential(
  levels: readonly GivenOptions[],
  { value, file, kind }: CredentialOptions,
  files: Files,
  warn: (message: string) => void,
): Secret | undefined {
  for (const level of levels) {
    const [text, path] = [level.get(value), level.get(file)]
    if (text && path)
      throw givenError(text, `${text.origin} and ${path.origin} both specify the ${kind.name}: use only one`)
    if (text) return secretValue(text, kind)
    if (path) return credentialFile(parseGiven(path, optionOf(file).parser) as string, path.origin, kind, files, warn)
  }
  return undefined
}

/** The credential of that name passed by the service manager; undefined if absent or empty. */
export function handedOver(name: string, kind: SecretKind, env: Environment, files: Files): Secret | undefined {
  const directory = env["CREDENTIALS_DIRECTORY"]
  // The systemd unit sets empty defaults for absent credentials.
  if (!directory || !files.list(directory).includes(name) || files.read(join(directory, name)).trim() === "") return
  // systemd copies it at the start: only a restart brings a renewed one.
  return { ...secretFile(join(directory, name), "$CREDENTIALS_DIRECTORY", kind, files), isRenewable: false }
}

/** Reads a secret from a file and checks the file mode. */
export function credentialFile(
  path: string,
  origin: string,
  kind: SecretKind,
  files: Files,
  warn: (message: string) => void,
): Secret {
  const secret = secretFile(path, origin, kind, files)
  const loose = looseMode(path, kind, files)
  if (loose) warn(loose)
  return secret
}

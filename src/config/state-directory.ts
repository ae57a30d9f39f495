import { join } from "node:path"

/**
 * Directory for measurements: `--state-dir`, else the first of systemd's `StateDirectory=`, else the user's state
 * directory (XDG base directories); undefined for a user without a home directory.
 */
export function stateDirectory(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { STATE_DIRECTORY: service, XDG_STATE_HOME: state, HOME: home } = env
  if (given !== undefined) return given
  if (service) return service.split(":")[0]
  if (state) return join(state, "quantus-miner")
  return home ? join(home, ".local/state/quantus-miner") : undefined
}

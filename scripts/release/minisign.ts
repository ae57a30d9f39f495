/**
 * Signs a file of checksums into `FILE.minisig`.
 * @param key a secret key of minisign without a password
 * @throws if minisign fails
 */
export function signChecksums(file: string, key: string, version: string): void {
  const command = ["minisign", "-S", "-s", key, "-m", file, "-t", `quantus-miner ${version}`]
  const { success, stdout, stderr } = Bun.spawnSync(command, { stdin: "ignore" })
  if (!success) throw new Error(`minisign: ${stdout}${stderr}`)
}

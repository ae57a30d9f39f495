/** What `npm ci` installs is checked against the lock file, so every package there needs a hash. */
import { expect, test } from "bun:test"
import { join } from "node:path"

const { packages } = (await Bun.file(join(import.meta.dir, "../../package-lock.json")).json()) as {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>
}
const installed = Object.entries(packages).filter(([path]) => path !== "")

test("every package has a SHA-512", () => {
  expect(installed.length).toBeGreaterThan(10)
  const unchecked = installed.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""))
  expect(unchecked.map(([path]) => path)).toEqual([])
})

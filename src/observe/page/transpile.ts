/** Macros for the page: Bun runs them while it loads or bundles the importing module and inlines what they return. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** @returns the page's script as JavaScript */
export function pageScript(): string {
  const source = readFileSync(join(import.meta.dir, "script.ts"), "utf8")
  return new Bun.Transpiler({ loader: "ts", target: "browser" }).transformSync(source)
}

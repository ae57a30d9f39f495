import { readFileSync } from "node:fs"
import { hostname } from "node:os"

/** Where the names of a machine are read from. */
export interface NameFiles {
  readonly hosts: string
  readonly resolver: string
}

const SYSTEM_FILES: NameFiles = { hosts: "/etc/hosts", resolver: "/etc/resolv.conf" }

/**
 * The names of this machine in lower case: its host name, short and in each domain of the resolver and in `.local`
 * (multicast DNS), and the other names that the hosts file gives to the same address.
 */
export function machineNames(host: string = hostname(), files: NameFiles = SYSTEM_FILES): readonly string[] {
  const name = host.toLowerCase().replace(/\.$/, "")
  if (name === "") return []
  const short = name.split(".", 1)[0]!
  const domains = [...domainsOf(contentOf(files.resolver)), "local"]
  const aliases = linesOf(contentOf(files.hosts))
    .map(([, ...names]) => names)
    .filter(names => names.includes(name))
    .flat()
  return [...new Set([name, short, ...domains.map(domain => `${short}.${domain}`), ...aliases])]
}

function domainsOf(resolver: string): string[] {
  return linesOf(resolver)
    .filter(([keyword]) => keyword === "search" || keyword === "domain")
    .flatMap(([, ...domains]) => domains.map(domain => domain.replace(/\.$/, "")))
    .filter(domain => domain !== "")
}

/** The words of each line in lower case, without comments. */
function linesOf(text: string): string[][] {
  return text
    .toLowerCase()
    .split("\n")
    .map(line =>
      line
        .replace(/[#;].*/, "")
        .trim()
        .split(/\s+/),
    )
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

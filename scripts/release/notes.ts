/** The release notes: what changed, and what each file is for, needs and was tested on. */
import { TARGETS } from "./targets.ts"

/** @throws if the changelog has neither a section of the version nor one of what is unreleased */
export function releaseNotes(version: string, changelog: string): string {
  const sections = changelog.split(/^## /m)
  const section = [version, "Unreleased"].map(title => sections.find(text => text.startsWith(title))).find(Boolean)
  if (section === undefined) throw new Error(`the changelog has no section ${version}`)
  const rows = TARGETS.map(
    ({ name, archive, upstreamAsset, needs, tested }) =>
      `| quantus-miner-${version}-${name}.${archive}${upstreamAsset ? `, ${upstreamAsset}` : ""} | ${needs} | ${tested} |`,
  )
  return [
    `# quantus-miner ${version}`,
    "",
    "docs/verifying.md in the source says how to check these files. Do not strip or pack the executables: `strip` removes the program",
    "and leaves the plain runtime.",
    "",
    "| File | Needs | Tested |",
    "|---|---|---|",
    ...rows,
    "",
    "The .deb and .rpm need the same as their executable. They were installed, upgraded and removed under systemd on x86-64; those",
    "for arm64 were not installed, but differ in the executable and the architecture alone. The image ran under Podman on x86-64, and",
    "its arm64 variant on an emulated CPU. The packages for HiveOS and mmpOS were run by stand-ins for the systems' agents, the one",
    "for arm64 on an emulated CPU, never on a rig. The templates for package managers were filled and parsed; no package manager",
    "installed from them.",
    "",
    "## Changes",
    "",
    section.slice(section.indexOf("\n")).trim(),
    "",
  ].join("\n")
}

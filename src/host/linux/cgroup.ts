/**
 * CPU limits of this process's control groups: cpuset and CPU time quota. Supports versions 1 and 2, both together
 * (hybrid), nested groups, and containers with or without a cgroup namespace (cgroups(7), cgroup_namespaces(7)).
 */
import { join } from "node:path"
import { parseCpulist } from "../cpulist.ts"
import { readText } from "../read-text.ts"

/** Directories of this process's groups by hierarchy: the process's group, then each parent up to the mount point. */
export interface OwnCgroups {
  /** Version 2's single hierarchy; empty if not mounted. */
  readonly unified: readonly string[]
  /** Version 1's hierarchy with the `cpuset` controller. */
  readonly cpuset: readonly string[]
  /** Version 1's hierarchy with the `cpu` controller. */
  readonly cpu: readonly string[]
}

/** A cpuset as read from its file; `cpus` is ascending and not empty. */
export interface Cpuset {
  readonly text: string
  readonly cpus: readonly number[]
  readonly path: string
}

/** CPU time per wall-clock time, in CPUs: 1.5 is 150 ms in every 100 ms. */
export interface CpuQuota {
  readonly cpus: number
  readonly path: string
}

/** Called once for each malformed file, which then counts as absent. */
export type Warn = (message: string) => void

/** Finds this process's groups from `/proc/self/cgroup` and `/proc/self/mountinfo` under `root`. */
export async function ownCgroups(root: string): Promise<OwnCgroups> {
  const memberships = parseMemberships((await readText(join(root, "proc/self/cgroup"))) ?? "")
  const mounts = parseMounts((await readText(join(root, "proc/self/mountinfo"))) ?? "")
  const directories = (controller: string) => {
    const path = memberships.get(controller)
    return path === undefined
      ? []
      : ancestry(
          root,
          path,
          mounts.filter(mount => mount.controllers.includes(controller)),
        )
  }
  return { unified: directories(unified), cpuset: directories("cpuset"), cpu: directories("cpu") }
}

/**
 * The cpuset that applies to this process: that of its group, else of the nearest parent with one, else of the root of
 * version 2, else of the root of version 1; undefined if absent.
 */
export async function readCpuset(root: string, own: OwnCgroups, warn: Warn): Promise<Cpuset | undefined> {
  const candidates = [
    ...own.unified.map(directory => join(directory, "cpuset.cpus.effective")),
    ...own.cpuset.map(directory => join(directory, "cpuset.cpus")),
    join(root, "sys/fs/cgroup/cpuset.cpus.effective"),
    join(root, "sys/fs/cgroup/cpuset/cpuset.cpus"),
  ]
  for (const path of new Set(candidates)) {
    const text = await readText(path)
    if (text === undefined) continue
    const list = parseCpulist(text)
    if (list.kind === "cpus") return { text: text.trim(), cpus: list.cpus, path }
    if (list.kind === "malformed") warn(`ignoring the malformed cpuset mask in ${path}: ${list.reason}`)
  }
  return undefined
}

/** The smallest quota of this process's group and its parents; undefined if unlimited. */
export async function readCpuQuota(own: OwnCgroups, warn: Warn): Promise<CpuQuota | undefined> {
  const quotas: CpuQuota[] = []
  for (const directory of own.unified) {
    const path = join(directory, "cpu.max")
    const text = (await readText(path))?.trim()
    if (text !== undefined) collect(path, text, text.split(/\s+/))
  }
  for (const directory of own.cpu) {
    const path = join(directory, "cpu.cfs_quota_us")
    const quota = (await readText(path))?.trim()
    const period = (await readText(join(directory, "cpu.cfs_period_us")))?.trim()
    if (quota !== undefined && quota !== "-1") collect(path, `${quota} of ${period ?? "no period"}`, [quota, period])
  }
  return quotas.reduce<CpuQuota | undefined>((least, one) => (least && least.cpus <= one.cpus ? least : one), undefined)

  /** @param fields quota and period in microseconds, the quota `max` when unlimited */
  function collect(path: string, text: string, [quota = "", period = "", ...rest]: (string | undefined)[]) {
    if (quota === "max") return
    const cpus = Number(quota) / Number(period)
    if (/^\d+$/.test(quota) && /^\d+$/.test(period) && rest.length === 0 && cpus > 0 && cpus < Infinity) {
      quotas.push({ cpus, path })
    } else {
      warn(`ignoring the malformed CPU quota in ${path}: "${text}"`)
    }
  }
}

/** Key of version 2's hierarchy among controller names. */
const unified = ""

/** A mounted hierarchy: the group visible at its mount point, and its controllers. */
interface Mount {
  readonly group: string
  readonly point: string
  readonly controllers: readonly string[]
}

/** Controller (or `unified`) to the group's path, from lines `4:cpu,cpuacct:/a/b` and `0::/a/b`. */
function parseMemberships(text: string): Map<string, string> {
  const memberships = new Map<string, string>()
  for (const line of text.split("\n")) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    for (const controller of match?.[1]?.split(",") ?? []) memberships.set(controller, match![2]!)
  }
  return memberships
}

/** cgroup mounts from mountinfo (proc(5)) lines `36 35 0:31 /group /point options [tags] - type source superoptions`. */
function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = []
  for (const line of text.split("\n")) {
    const [where = "", what = ""] = line.split(" - ", 2)
    const [, , , group, point] = where.split(" ").map(unescapeOctal)
    const [type, , options = ""] = what.split(" ")
    if (group === undefined || point === undefined) continue
    if (type === "cgroup2") mounts.push({ group, point, controllers: [unified] })
    if (type === "cgroup") mounts.push({ group, point, controllers: options.split(",") })
  }
  return mounts
}

/** Decodes mountinfo's octal escapes of space (`\040`), tab, newline and backslash. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/** Directories of the group `path` and its parents, in the mount that shows the most parents. */
function ancestry(root: string, path: string, mounts: readonly Mount[]): string[] {
  const showing = mounts.flatMap(({ group, point }) => {
    const below = pathBelow(group, path)
    return below === undefined ? [] : { point, below }
  })
  showing.sort((a, b) => b.below.length - a.below.length)
  // In a container the path may be valid only on the host; then the mount shows the container's group.
  const best = showing[0] ?? (mounts[0] && { point: mounts[0].point, below: [] })
  if (best === undefined) return []
  const { point, below } = best
  return Array.from({ length: below.length + 1 }, (_, up) => join(root, point, ...below.slice(0, below.length - up)))
}

/** Path components from `group` down to `path`; undefined if `path` is not below `group`. */
function pathBelow(group: string, path: string): string[] | undefined {
  const from = group.split("/").filter(name => name !== "")
  const to = path.split("/").filter(name => name !== "")
  if (to.includes("..") || from.some((name, i) => name !== to[i])) return undefined
  return to.slice(from.length)
}

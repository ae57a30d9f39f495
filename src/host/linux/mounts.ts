/** The mount table (proc_pid_mountinfo(5)). */
import { readFileSync, realpathSync } from "node:fs"

/** As `Platform.isOnReadOnlyMount`. Of several mounts on one directory, the last one is effective. */
export function isOnReadOnlyMount(path: string): boolean {
  try {
    const real = realpathSync(path)
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map(line => line.split(" "))
    const covering = mounts.filter(([, , , , point]) => {
      const directory = point?.replace(/\\040/g, " ")
      return (
        directory !== undefined && (real === directory || real.startsWith(directory === "/" ? "/" : `${directory}/`))
      )
    })
    const deepest = covering.reduce((best, mount) => (mount[4]!.length >= best[4]!.length ? mount : best))
    return deepest[5]!.split(",").includes("ro")
  } catch {
    return false
  }
}

/** What this program was built from. The build defines the last two. */
export { version } from "../package.json" with { type: "json" }

declare const QUANTUS_MINER_COMMIT: string | undefined
declare const QUANTUS_MINER_TARGET: string | undefined

/** The commit in hexadecimal, followed by `-dirty` for a changed checkout; undefined if unknown or not built. */
export const commit = typeof QUANTUS_MINER_COMMIT === "undefined" ? undefined : QUANTUS_MINER_COMMIT

/** System and processor, and the C library if it is not the usual one: `linux-x64-musl`. */
export const target =
  typeof QUANTUS_MINER_TARGET === "undefined" ? `${process.platform}-${process.arch}` : QUANTUS_MINER_TARGET

import type { NodeEvent, NodeTotals, ResultEvent } from "./node.ts"

/** A line about an event at a node, for people; undefined if it is not worth a line. */
export function describeEvent(event: NodeEvent): string | undefined {
  switch (event.type) {
    case "connected":
      return `miner ${event.miner} connected from ${event.remote}`
    case "disconnected":
      return `miner ${event.miner} disconnected`
    case "rejected":
      return `connection from ${event.remote} rejected: ${event.why}`
    case "job":
      return event.miners > 0 ? `${event.id} sent, difficulty ${event.difficulty}` : undefined
    case "result":
      return describeResult(event)
  }
}

/** A line of the node's totals, for people. */
export function describeTotals(
  { jobs, valid, invalid, stale, failed, hashes }: NodeTotals,
  difficulty: bigint,
): string {
  const luck = luckText((valid * Number(difficulty)) / Number(hashes))
  return `${jobs} jobs, ${valid} valid seals, ${invalid} invalid, ${stale} stale, ${failed} failed, ${hashes} hashes, ${luck}`
}

function describeResult({ verdict, result, miner, age, luck }: ResultEvent): string {
  const what = verdict === "valid" ? `${result.job_id} sealed` : `${verdict} result for ${result.job_id}`
  const effort = `${result.hash_count} hashes in ${result.elapsed_time.toFixed(3)} s, ${luckText(luck)}`
  return `${what} by miner ${miner} after ${(age / 1000).toFixed(3)} s: ${effort}`
}

const luckText = (luck: number): string => (Number.isFinite(luck) ? `luck ${luck.toPrecision(3)}` : "luck unknown")

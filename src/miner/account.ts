/**
 * Counts the hashes of one job in periods: from its arrival to its first seal, from one seal to the next. Engines count
 * per work, and a job may be searched by several works; the account carries the count from one work to the next.
 */
export class Account {
  /** Clock milliseconds at which the current period began. */
  #periodBeganAt: number
  /** Hashes of the current work that earlier periods have already received. */
  #settled = 0n
  /** Hashes of the current period that ended works and lost engines have counted. */
  #carried = 0n
  /** Hashes that an earlier period received before engines had counted them. */
  #advanced = 0n
  #hashes = 0n

  /** @param beganAt clock milliseconds of the job's arrival */
  constructor(beganAt: number) {
    this.#periodBeganAt = beganAt
  }

  /** Hashes of all closed periods. */
  get hashes(): bigint {
    return this.#hashes
  }

  /**
   * Closes the current period and begins the next.
   * @param counted hashes that the live engines have counted for the current work
   * @param atLeast lower bound of the period's hashes. If two candidates of one row were counted in the first's period,
   *   the second period would have no hashes; the difference is subtracted from the next period.
   */
  settle(counted: bigint, now: number, atLeast = 0n): { readonly hashes: bigint; readonly seconds: number } {
    const open = this.#carried + counted - this.#settled - this.#advanced
    const hashes = open > atLeast ? open : atLeast
    const seconds = (now - this.#periodBeganAt) / 1000
    this.#periodBeganAt = now
    this.#carried = 0n
    this.#settled = counted
    this.#advanced = hashes - open
    this.#hashes += hashes
    return { hashes, seconds }
  }

  /** The current work ends; its count of this period is kept. @param counted as for `settle` */
  endWork(counted: bigint): void {
    this.#carried += counted - this.#settled
    this.#settled = 0n
  }

  /** An engine and its count are removed. @param counted hashes the engine has counted for the current work */
  loseEngine(counted: bigint): void {
    this.#carried += counted
  }

  /** Begins an empty period in which no work runs. */
  rest(): void {
    this.#settled = 0n
    this.#carried = 0n
    this.#advanced = 0n
  }
}

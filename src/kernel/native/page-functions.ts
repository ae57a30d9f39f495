/** What memory outside the JavaScript heap needs from a system. */
export interface PageFunctions {
  /** The page size, or a multiple of it. */
  readonly pageBytes: number
  /** Maps zeroed pages that can be read and written. @returns their address; undefined if the system denies them */
  map(bytes: number): number | undefined
  /**
   * Makes pages readable and executable, and no longer writable, and makes the written instructions visible to this
   * thread's instruction fetch.
   * @returns false if the system refuses
   */
  makeExecutable(address: number, bytes: number): boolean
  /** Unmaps all pages of one call of `map`. */
  unmap(address: number, bytes: number): void
}

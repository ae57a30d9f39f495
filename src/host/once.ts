/** The value of `open`, called at the first use; undefined from then on if that throws. */
export function openedOnce<T>(open: () => T): () => T | undefined {
  let opened: { readonly value: T | undefined } | undefined
  return () => {
    if (opened === undefined) {
      try {
        opened = { value: open() }
      } catch {
        opened = { value: undefined }
      }
    }
    return opened.value
  }
}

/** Files of the page, imported as text. */
declare module "./page/*" {
  const text: string
  export default text
}

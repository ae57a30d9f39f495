/** Entry of a device's thread: an entry point of its own in the built executable. */
import { serveDevice } from "./worker-main.ts"

serveDevice()

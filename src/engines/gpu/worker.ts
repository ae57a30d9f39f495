/** Entry point of a GPU worker thread. The built executable contains it as a separate entry point. */
import { serveDevice } from "./worker-main.ts"

serveDevice()

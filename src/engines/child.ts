/** What this program does as a child process of itself. */
import { serveChild } from "../host/child-task.ts"
import { type TrialOrder, tryKernels } from "./cpu/trial.ts"
import { callDriver, type DriverOrder } from "./gpu/driver-child.ts"

export const serveOrders = (): Promise<void> =>
  serveChild<DriverOrder | TrialOrder>((order, report) =>
    order.kind === "kernels" ? tryKernels(order, report) : callDriver(order, report),
  )

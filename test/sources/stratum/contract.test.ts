import { describeContract } from "../contract.ts"
import { FakePool } from "./fake-pool.ts"

describeContract("Stratum", async () => new FakePool())

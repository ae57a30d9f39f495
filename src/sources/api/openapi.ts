/** The API's description, served at `/openapi.json`; a test validates every answer against it. */
import { version } from "../../version.ts"
import { MAX_JOB_ID } from "./mine-request.ts"

const hex = (digits: number, description: string) => ({
  type: "string",
  description,
  pattern: `^[0-9a-fA-F]{${digits}}$`,
})

const jobId = { type: "string", minLength: 1, maxLength: MAX_JOB_ID }

const answer = (description: string, schema: string) => ({
  description,
  content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
})

const jobIdParameter = { name: "job_id", in: "path", required: true, schema: jobId }

/** Answers that any path may give. */
const refusals = {
  "401": answer("The bearer token is missing or wrong", "Error"),
  "403": answer("The request comes from a web page", "Error"),
}

const status = (...values: string[]) => ({ type: "string", enum: values })

const closed = (properties: Record<string, object>) => ({
  type: "object",
  required: Object.keys(properties),
  properties,
  additionalProperties: false,
})

export const openapi = {
  openapi: "3.1.0",
  info: {
    title: "quantus-miner HTTP job API",
    version,
    description: "Searches given ranges of nonces. A range is inclusive and exact: nothing outside it is tried.",
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/" }],
  security: [{}, { bearer: [] }],
  paths: {
    "/mine": {
      post: {
        operationId: "mine",
        summary: "Queue a job",
        requestBody: {
          required: true,
          content: { "application/json": { schema: { $ref: "#/components/schemas/MineRequest" } } },
        },
        responses: {
          "200": answer("The job is queued", "Accepted"),
          "400": answer("The request is malformed", "Error"),
          "409": answer("There is a job of this id", "Error"),
          "413": { description: "The body is too large" },
          "429": answer("There are too many unfinished jobs", "Error"),
          ...refusals,
        },
      },
    },
    "/result/{job_id}": {
      get: {
        operationId: "result",
        summary: "How far a job is; finished ones are kept for five minutes",
        parameters: [jobIdParameter],
        responses: {
          "200": answer("The job", "JobResult"),
          "404": answer("There is no such job", "NotFound"),
          ...refusals,
        },
      },
    },
    "/cancel/{job_id}": {
      post: {
        operationId: "cancel",
        summary: "End an unfinished job",
        parameters: [jobIdParameter],
        responses: {
          "200": answer("The job is no longer searched", "Cancelled"),
          "404": answer("There is no such unfinished job", "NotFound"),
          ...refusals,
        },
      },
    },
    "/openapi.json": {
      get: {
        operationId: "openapi",
        summary: "This description",
        security: [],
        responses: {
          "200": { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
          "403": refusals["403"],
        },
      },
    },
  },
  components: {
    securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    schemas: {
      MineRequest: {
        type: "object",
        required: ["job_id", "mining_hash", "difficulty", "nonce_start", "nonce_end"],
        properties: {
          job_id: jobId,
          mining_hash: hex(64, "The header, 32 bytes"),
          difficulty: { type: "string", pattern: "^[0-9]{1,155}$", description: "Decimal, 1 to 2^512 - 1" },
          nonce_start: hex(128, "The first nonce, 64 bytes, big-endian"),
          nonce_end: hex(128, "The last nonce, 64 bytes, big-endian; not below the first"),
        },
      },
      Accepted: closed({ status: status("accepted"), job_id: jobId }),
      Cancelled: closed({ status: status("cancelled"), job_id: jobId }),
      NotFound: closed({ status: status("not_found"), job_id: { type: "string" } }),
      Error: closed({
        status: status("error"),
        job_id: { type: "string", description: "The request's, empty where it has none" },
        message: { type: "string", minLength: 1 },
      }),
      JobResult: closed({
        status: {
          ...status("running", "completed", "failed", "cancelled"),
          description: "running: searched or queued; failed: the whole range was tried and holds no seal",
        },
        job_id: jobId,
        nonce: { ...hex(128, "The seal; null unless completed"), type: ["string", "null"] },
        work: { ...hex(128, "The seal's 64 bytes, the same as nonce"), type: ["string", "null"] },
        hash_count: { type: "integer", minimum: 0, description: "Nonces tried" },
        elapsed_time: { type: "number", minimum: 0, description: "Seconds since the search began" },
      }),
    },
  },
} as const

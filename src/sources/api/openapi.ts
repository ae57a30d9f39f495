/** The API's description, served at `/openapi.json`. */
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

/** Answers common to all paths. */
const refusals = {
  "401": answer("The bearer token is missing or wrong", "Error"),
  "403": answer("The request was sent by a web page", "Error"),
  "421": answer("The Host header names another machine", "Error"),
  "503": answer("Too many requests are unfinished", "Error"),
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
    description: "Searches ranges of nonces. A range is inclusive and exact: no nonce outside it is tested.",
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
          "409": answer("A job with this id exists", "Error"),
          "413": { description: "The body is too large" },
          "429": answer("Too many unfinished jobs", "Error"),
          ...refusals,
        },
      },
    },
    "/result/{job_id}": {
      get: {
        operationId: "result",
        summary: "Status and result of a job; finished jobs are kept for five minutes",
        parameters: [jobIdParameter],
        responses: {
          "200": answer("The job", "JobResult"),
          "404": answer("No job has this id", "NotFound"),
          ...refusals,
        },
      },
    },
    "/cancel/{job_id}": {
      post: {
        operationId: "cancel",
        summary: "Cancel an unfinished job",
        parameters: [jobIdParameter],
        responses: {
          "200": answer("The job is no longer searched", "Cancelled"),
          "404": answer("No unfinished job has this id", "NotFound"),
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
          "421": refusals["421"],
          "503": refusals["503"],
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
          nonce_start: hex(128, "First nonce, 64 bytes, big-endian"),
          nonce_end: hex(128, "Last nonce, 64 bytes, big-endian; not below the first"),
        },
      },
      Accepted: closed({ status: status("accepted"), job_id: jobId }),
      Cancelled: closed({ status: status("cancelled"), job_id: jobId }),
      NotFound: closed({ status: status("not_found"), job_id: { type: "string" } }),
      Error: closed({
        status: status("error"),
        job_id: { type: "string", description: "The id in the request; empty if absent or invalid" },
        message: { type: "string", minLength: 1 },
      }),
      JobResult: closed({
        status: {
          ...status("running", "completed", "failed", "cancelled"),
          description: "running: searched or queued; failed: the whole range was tested and contains no seal",
        },
        job_id: jobId,
        nonce: { ...hex(128, "The seal; null unless completed"), type: ["string", "null"] },
        work: { ...hex(128, "The seal's 64 bytes, the same as nonce"), type: ["string", "null"] },
        hash_count: { type: "integer", minimum: 0, description: "Nonces tested" },
        elapsed_time: { type: "number", minimum: 0, description: "Seconds since the search began" },
      }),
    },
  },
} as const

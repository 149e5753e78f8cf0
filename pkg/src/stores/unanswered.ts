// Requests to the HTTPS API that got no usable answer, and what is said of them.
import type { IncomingHttpHeaders } from "node:http";

/** An answer of the Worker's. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** A request that got no usable answer. `cause` tells outages apart, so that each is told once. */
export class Unanswered extends Error {
  override readonly cause: string | number;
  readonly retryable: boolean;

  constructor(cause: string | number, message: string, { retryable = false } = {}) {
    super(message);
    this.cause = cause;
    this.retryable = retryable;
  }
}

/** Whether an answer is a problem document, as the API's refusals are. */
export const isProblem = ({ headers }: Pick<Answer, "headers">): boolean =>
  (headers["content-type"] ?? "").startsWith("application/problem+json");

/** The JSON in an answer's bytes, as what the API's page says that it is. */
export function parsed<Value>(bytes: Buffer): Value {
  try {
    return JSON.parse(bytes.toString("utf8")) as Value;
  } catch {
    throw nonsense(bytes, "JSON");
  }
}

export function nonsense(bytes: Buffer, expected: string): Unanswered {
  return new Unanswered("nonsense", `answered ${JSON.stringify(bytes.subarray(0, 40).toString("latin1"))}, which is no ${expected}`);
}

export const tooLate = (limitMs: number): Unanswered => new Unanswered("slow", `gave no answer within ${limitMs} ms`);

export function brokenOff(error: NodeJS.ErrnoException): Unanswered {
  if (error instanceof Unanswered) return error;
  return new Unanswered("broken-off", `breaks off in the middle of its answers (${error.code ?? error.message})`);
}

/** @param wasIdle whether the connection had been kept */
export function unanswered(error: NodeJS.ErrnoException, limitMs: number, wasIdle = false): Unanswered {
  if (error.name === "AbortError" || error.name === "TimeoutError") return tooLate(limitMs);
  // The other end closed a kept connection just as it was used again.
  return new Unanswered("unreachable", `cannot be reached (${error.code ?? error.message})`, { retryable: wasIdle });
}

export function refusal(answer: Answer): Unanswered {
  const { status } = answer;
  if (!isProblem(answer)) return new Unanswered("nonsense", `answered ${status} without saying why, so it is no Onegen Worker`);
  const { code, detail } = parsed<{ code?: string; detail?: string } | null>(answer.bytes) ?? {};
  // The message was lost on its way, or with the instance that was answering it.
  const retryable = status === 503 && (code === "object-failed" || code === "interrupted");
  return new Unanswered(code ?? status, `answered ${status} ${code ?? ""} (${detail})`, { retryable });
}

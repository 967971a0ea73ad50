import type { Call } from "./calls.js";
import type { Problem } from "./types.js";

/**
 * The integration server has refused a request, or failed at it: nothing of it was applied.
 * The message has the detail of the problem, and the traceback if there is one.
 */
export declare class SaneError extends Error {
  constructor(
    name: string,
    problem: Problem & { detail: string },
    more?: { status?: number; cause?: unknown },
  );
  /** The status of HTTP; 0 where there was no answer. */
  status: number;
  /** All that the server says. */
  problem: Problem;
}

/** Return where to send a call. Throws SaneError where URL or token is missing. */
export declare function addressOf(
  call: Call,
  name: string,
  server: { url: string | null | undefined; token: string | undefined; how: string },
): string;

/** Return what a call returns. Throws SaneError for all that is no success. */
export declare function resultOf(
  call: Call,
  name: string,
  answer: { address: string; status: number; text: string },
): any;

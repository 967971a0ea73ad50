// What an answer of the control API means.

/**
 * @typedef {import("./types.js").Problem} Problem
 * @typedef {import("./answers.js").SaneError} Declared
 */

/** @implements {Declared} */
export class SaneError extends Error {
  /**
   * @param {string} name
   * @param {Problem & { detail: string }} problem
   * @param {{ status?: number, cause?: unknown }} [more]
   */
  constructor(name, problem, { status = 0, cause } = {}) {
    const traceback = problem.traceback ? `\n${problem.traceback}` : "";
    super(`${name}: ${problem.detail}${traceback}`, cause === undefined ? {} : { cause });
    this.name = "SaneError";
    this.status = status;
    this.problem = problem;
  }
}

/** @type {typeof import("./answers.js").addressOf} */
export function addressOf(call, name, { url, token, how }) {
  for (const [what, value] of Object.entries({ URL: url, token })) {
    if (!value) {
      throw new SaneError(name, { detail: `No ${what} of an integration server: ${how}` });
    }
  }
  return new URL(`/__sane__/${call.path}/`, String(url)).href;
}

/** @type {typeof import("./answers.js").resultOf} */
export function resultOf(call, name, { address, status, text }) {
  const body = parsed(text);
  if (body === undefined) {
    const { origin } = new URL(address);
    const detail = `${origin} is no integration server with a control API: it answers ${status}`;
    throw new SaneError(name, { detail }, { status });
  }
  if (status >= 400) {
    throw new SaneError(name, { detail: `${address} answers ${status}`, ...body }, { status });
  }
  return call.result(body);
}

/**
 * @param {string} text
 * @returns {any} undefined if it is no object of JSON
 */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

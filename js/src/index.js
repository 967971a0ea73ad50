// The client for anything that has fetch().

import { SaneError, addressOf, resultOf } from "./answers.js";
import { calls } from "./calls.js";

export { SaneError };

const HOW =
  "run this by manage.py integrationserver --exec, set SANE_BASE_URL and SANE_CONTROL_TOKEN, " +
  "or give new Sane({ url, token }).";

/**
 * @typedef {typeof calls} Calls
 * @typedef {import("./index.js").Sane} Declared
 */

/** @type {Record<string, string | undefined>} */
const environment = globalThis.process?.env ?? {};

/** @implements {Declared} */
export class Sane {
  #url;
  #token;
  #timeout;

  /** @param {import("./index.js").SaneOptions} [options] */
  constructor({ url, token, timeout = 60_000 } = {}) {
    this.#url = url;
    this.#token = token;
    this.#timeout = timeout;
  }

  get url() {
    return (this.#url ?? environment.SANE_BASE_URL ?? "").replace(/\/+$/, "");
  }

  reset() {
    return this.#send("reset", []);
  }

  /** @param {Parameters<Calls["checkpoint"]>} given */
  checkpoint(...given) {
    return this.#send("checkpoint", given);
  }

  /** @param {Parameters<Calls["rollback"]>} given */
  rollback(...given) {
    return this.#send("rollback", given);
  }

  /** @param {Parameters<Calls["create"]>} given */
  create(...given) {
    return this.#send("create", given);
  }

  /** @param {Parameters<Calls["scenario"]>} given */
  scenario(...given) {
    return this.#send("scenario", given);
  }

  /** @param {Parameters<Calls["login"]>} given */
  login(...given) {
    return this.#send("login", given);
  }

  mail() {
    return this.#send("mail", []);
  }

  /** @param {Parameters<Calls["time"]>} given */
  time(...given) {
    return this.#send("time", given);
  }

  state() {
    return this.#send("state", []);
  }

  /** @param {Parameters<Calls["command"]>} given */
  command(...given) {
    return this.#send("command", given);
  }

  /**
   * @template {keyof Calls} Verb
   * @param {Verb} verb
   * @param {Parameters<Calls[Verb]>} given
   * @returns {Promise<any>}
   */
  async #send(verb, given) {
    const name = `sane.${verb}`;
    /** @type {(...given: any[]) => import("./calls.js").Call} */
    const describe = calls[verb];
    const call = describe(...given);
    const token = this.#token ?? environment.SANE_CONTROL_TOKEN;
    const address = addressOf(call, name, { url: this.url, token, how: HOW });
    const { status, text } = await this.#fetch(name, address, {
      method: call.method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      redirect: "manual", // the token is for this server only
      signal: AbortSignal.timeout(this.#timeout),
    });
    return resultOf(call, name, { address, status, text });
  }

  /**
   * @param {string} name
   * @param {string} address
   * @param {RequestInit} request
   */
  async #fetch(name, address, request) {
    try {
      const answer = await fetch(address, request);
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      const detail = `The integration server at ${this.url} does not answer: ${reason(error)}`;
      throw new SaneError(name, { detail }, { cause: error });
    }
  }
}

/** @type {import("./index.js").Sane} */
export const sane = new Sane();

/** @param {any} error */
function reason(error) {
  // fetch() itself says no more than "fetch failed".
  return error.cause?.message || error.cause?.code || error.message;
}

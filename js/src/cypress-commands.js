// Commands of Cypress. They send by cy.request(), as it is Cypress's own process that then asks:
// the control API refuses pages, and the browser gets the session's cookie.

import { SaneError, addressOf, resultOf } from "./answers.js";
import { calls } from "./calls.js";

export { SaneError };

const TOKEN = "SANE_CONTROL_TOKEN";
const HOW =
  "run Cypress by manage.py integrationserver --exec, or set CYPRESS_BASE_URL and " +
  "CYPRESS_SANE_CONTROL_TOKEN.";

for (const [verb, describe] of Object.entries(calls)) {
  const command = `sane${verb[0]?.toUpperCase()}${verb.slice(1)}`;
  /** @type {(...given: any[]) => import("./calls.js").Call} */
  const callOf = describe;
  // Cypress knows the commands by the types of its interface, not by names made here.
  /** @type {any} */ (Cypress.Commands).add(command, (/** @type {any[]} */ ...given) => {
    const call = callOf(...given);
    const message = given.map((each) => JSON.stringify(each)).join(", ");
    Cypress.log({ name: command, message, consoleProps: () => ({ ...call }) });
    return withToken((token) => send(call, `cy.${command}`, token));
  });
}

/**
 * @param {(token: string | undefined) => any} use
 * @returns {any}
 */
function withToken(use) {
  /** @type {any} */
  const commands = cy;
  if (typeof commands.env !== "function") {
    return use(Cypress.env(TOKEN));
  }
  // From Cypress 15.10 on; Cypress.env() ends with 15.
  return commands.env([TOKEN]).then((/** @type {any} */ found) => use(found[TOKEN]));
}

/**
 * @param {import("./calls.js").Call} call
 * @param {string} name
 * @param {string | undefined} token
 */
function send(call, name, token) {
  const address = addressOf(call, name, { url: Cypress.config("baseUrl"), token, how: HOW });
  return cy
    .request({
      method: call.method,
      url: address,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      failOnStatusCode: false,
      followRedirect: false,
      retryOnNetworkFailure: false, // what was asked for may have been done
      log: false,
    })
    .then(({ status, body }) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      // then() takes undefined for "the same as before".
      return resultOf(call, name, { address, status, text }) ?? null;
    });
}

// A stand-in for what the commands need of Cypress: its real one is a program of its own. It
// does what Cypress's documentation says of cy.request(), of then() and of custom commands.

/** What a command returns: then() with a function that returns undefined yields the same. */
class Chain {
  constructor(promise) {
    this.done = promise;
  }

  then(use) {
    return new Chain(
      this.done.then(async (subject) => {
        const result = await unwrapped(use(subject));
        return result === undefined ? subject : result;
      }),
    );
  }
}

function unwrapped(value) {
  return value instanceof Chain ? value.done : value;
}

/**
 * Make `cy` and `Cypress` with the environment `env`; return them, and what was done with them.
 * cy.env() is there from Cypress 15.10 on.
 */
export function standIn({ baseUrl, env, hasEnvCommand = false }) {
  const jar = new Map();
  const commands = {};
  const logged = [];
  const hooks = [];
  const started = [];

  async function request(options) {
    const { method, url, headers, body, failOnStatusCode, followRedirect } = options;
    const cookies = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, {
      method,
      headers: cookies ? { ...headers, Cookie: cookies } : headers,
      body,
      redirect: followRedirect ? "follow" : "manual",
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      jar.set(name, value);
    }
    if (failOnStatusCode && answer.status >= 400) {
      throw new Error(`cy.request() failed on: ${answer.status}`);
    }
    const text = await answer.text();
    const isJson = answer.headers.get("Content-Type") === "application/json";
    return { status: answer.status, body: isJson ? JSON.parse(text) : text };
  }

  const cy = { request: (options) => new Chain(request(options)) };
  if (hasEnvCommand) {
    cy.env = (names) =>
      new Chain(Promise.resolve(Object.fromEntries(names.map((name) => [name, env[name]]))));
  }
  const Cypress = {
    Commands: {
      add(name, run) {
        commands[name] = run;
        cy[name] = (...given) => {
          const chain = new Chain(Promise.resolve().then(() => unwrapped(run(...given))));
          started.push(chain);
          return chain;
        };
      },
    },
    config: (name) => ({ baseUrl })[name],
    env(name) {
      if (hasEnvCommand) throw new Error("Cypress.env() is no more");
      return env[name];
    },
    log: (entry) => logged.push(entry),
  };
  Object.assign(globalThis, { Cypress, cy, beforeEach: (hook) => hooks.push(hook) });
  return { Cypress, commands, cy, hooks, jar, logged, started };
}

// What each verb sends and what of the answer it returns, whoever carries it there.

/**
 * @typedef {import("./calls.js").Call} Call
 */

/** @type {(path: string, body: unknown, result?: (answer: any) => unknown) => Call} */
const post = (path, body, result = () => undefined) => ({ method: "POST", path, body, result });

/** @type {(path: string, result: (answer: any) => unknown) => Call} */
const get = (path, result) => ({ method: "GET", path, body: undefined, result });

/** @type {(answer: any) => unknown} */
const whole = (answer) => answer;

/** @type {typeof import("./calls.js").calls} */
export const calls = {
  reset: () => post("reset", {}),
  checkpoint: (name) => post("checkpoint", { name }),
  rollback: (name) => post("rollback", { name }),
  create(factory, attributes = {}, { count, traits = [] } = {}) {
    const body = { factory, count: count ?? 1, traits, attributes };
    return post("factory", body, ({ objects }) => (count === undefined ? objects[0] : objects));
  },
  scenario: (name, args = {}) =>
    post(`scenario/${encodeURIComponent(name)}`, { arguments: args }, ({ result }) => result),
  login: (user) => post("login", { user }, whole),
  mail: () => get("mail", ({ messages }) => messages),
  // toISOString() refuses a date that is none; JSON would make it null, which is the real time.
  time: (at, { tick = false } = {}) =>
    post("time", { at: at instanceof Date ? at.toISOString() : at, tick }),
  state: () => get("state", whole),
  command: (commands) => post("command", commands, ({ results }) => results),
};

/// <reference types="cypress" />

import type {
  Command, CreateOptions, Fields, Login, Message, State, TimeOptions, User,
} from "./types.js";

export { SaneError } from "./answers.js";
export type * from "./types.js";

declare global {
  namespace Cypress {
    interface Chainable {
      /** Put the databases back to the populated state; clear caches, mail and sessions. */
      saneReset(): Chainable<null>;
      /** Take what there is now as the state `name`, in place of one of that name. */
      saneCheckpoint(name: string): Chainable<null>;
      /** Put all back to the state `name`. */
      saneRollback(name: string): Chainable<null>;
      /** Yield the fields of `count` new objects of a factory. */
      saneCreate<T = Fields>(
        factory: string,
        attributes: Fields | undefined,
        options: CreateOptions & { count: number },
      ): Chainable<T[]>;
      /** Yield the fields of a new object of a factory. */
      saneCreate<T = Fields>(
        factory: string,
        attributes?: Fields,
        options?: { traits?: string[] },
      ): Chainable<T>;
      /** Yield what a registered function returns. */
      saneScenario<T = any>(name: string, args?: Fields): Chainable<T>;
      /** Log the browser in as a user. */
      saneLogin(user: User): Chainable<Login>;
      /** Yield what the site has sent since the last reset. */
      saneMail(): Chainable<Message[]>;
      /** Make it `at` for the site; null is the real time. */
      saneTime(at: Date | string | null, options?: TimeOptions): Chainable<null>;
      /** Yield what there is to know of the server. */
      saneState(): Chainable<State>;
      /** Yield the results of commands that are applied in order, all or none. */
      saneCommand(commands: Command[]): Chainable<any[]>;
    }
  }
}

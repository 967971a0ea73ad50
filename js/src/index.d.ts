import type {
  Command, CreateOptions, Fields, Login, Message, State, TimeOptions, User,
} from "./types.js";

export { SaneError } from "./answers.js";
export type * from "./types.js";

export interface SaneOptions {
  /** Where the site is; by default SANE_BASE_URL of the environment. */
  url?: string;
  /** By default SANE_CONTROL_TOKEN of the environment. */
  token?: string;
  /** How long an answer may take, in milliseconds: 60,000. */
  timeout?: number;
}

/**
 * Tells a running `manage.py integrationserver` what to do. What is asked for is done whole or
 * not at all; then it throws SaneError.
 */
export declare class Sane {
  constructor(options?: SaneOptions);
  /** Where the site is, without a slash at the end. */
  readonly url: string;
  /** Put the databases back to the populated state; clear caches, mail and sessions. */
  reset(): Promise<void>;
  /** Take what there is now as the state `name`, in place of one of that name. */
  checkpoint(name: string): Promise<void>;
  /** Put all back to the state `name`. */
  rollback(name: string): Promise<void>;
  /** Return the fields of `count` new objects of a factory. */
  create<T = Fields>(
    factory: string,
    attributes: Fields | undefined,
    options: CreateOptions & { count: number },
  ): Promise<T[]>;
  /** Return the fields of a new object of a factory. */
  create<T = Fields>(
    factory: string,
    attributes?: Fields,
    options?: { traits?: string[] },
  ): Promise<T>;
  /** Return what a registered function returns. */
  scenario<T = any>(name: string, args?: Fields): Promise<T>;
  /** Return a new session of a user, with its cookie. */
  login(user: User): Promise<Login>;
  /** Return what the site has sent since the last reset. */
  mail(): Promise<Message[]>;
  /**
   * Make it `at` for the site, and stop the time there unless it is to `tick`. Text is ISO 8601;
   * null is the real time.
   */
  time(at: Date | string | null, options?: TimeOptions): Promise<void>;
  /** Return what there is to know of the server. */
  state(): Promise<State>;
  /** Return the results of commands that are applied in order, all or none. */
  command(commands: Command[]): Promise<any[]>;
}

/** A client of the server that the environment names. */
export declare const sane: Sane;

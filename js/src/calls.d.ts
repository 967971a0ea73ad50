import type { Command, CreateOptions, Fields, TimeOptions, User } from "./types.js";

/** A request to the control API, and what of its answer is returned. */
export interface Call {
  method: "GET" | "POST";
  /** Below `/__sane__/`, without slashes around it. */
  path: string;
  body: unknown;
  result(answer: any): unknown;
}

export declare const calls: {
  reset(): Call;
  checkpoint(name: string): Call;
  rollback(name: string): Call;
  create(factory: string, attributes?: Fields, options?: CreateOptions): Call;
  scenario(name: string, args?: Fields): Call;
  login(user: User): Call;
  mail(): Call;
  time(at: Date | string | null, options?: TimeOptions): Call;
  state(): Call;
  command(commands: Command[]): Call;
};

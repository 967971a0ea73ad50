/** Names and values: a model's fields, a factory's attributes, a scenario's arguments. */
export type Fields = Record<string, any>;

/** A user: by name, by primary key, or by fields and their values. */
export type User = string | number | Fields;

export interface CreateOptions {
  /** How many objects; then they come as an array, also when it is one. */
  count?: number;
  /** Names of the factory's traits. */
  traits?: string[];
}

export interface TimeOptions {
  /** Let the time go on from there. */
  tick?: boolean;
}

/** A session's cookie, as the site's settings have it. */
export interface Cookie {
  name: string;
  value: string;
  path: string;
  domain: string | null;
  secure: boolean;
  httpOnly: boolean;
  sameSite: "Lax" | "Strict" | "None" | null;
}

export interface Login {
  user: { pk: any; name: string };
  cookie: Cookie;
}

/** A message that the site has sent. */
export interface Message {
  subject: string;
  body: string;
  /** The text as HTML, if there is one. */
  html: string | null;
  from: string;
  to: string[];
  cc: string[];
  bcc: string[];
  reply_to: string[];
  headers: Record<string, string>;
  alternatives: { content: string; mimetype: string }[];
  /** `size` is in bytes. */
  attachments: { filename: string | null; mimetype: string | null; size: number }[];
}

/** What there is to know of the server. */
export interface State {
  url: string;
  /** The databases. */
  aliases: string[];
  /** Rows: by alias, then by model. */
  counts: Record<string, Record<string, number>>;
  checkpoints: string[];
  factories: string[];
  scenarios: string[];
  /** What time it was made, ISO 8601; null while it is the real one. */
  time: string | null;
  /** Seconds. */
  uptime: number;
  seed: number;
  [more: string]: any;
}

/** One of several commands: a verb, and the members of its body. */
export type Command =
  | { command: "reset" | "mail" | "state" }
  | { command: "checkpoint" | "rollback"; name: string }
  | { command: "factory"; factory: string; count?: number; traits?: string[]; attributes?: Fields }
  | { command: "scenario"; name: string; arguments?: Fields }
  | { command: "login"; user: User }
  | { command: "time"; at: Date | string | null; tick?: boolean };

/** What the server says where it cannot do what it was asked for (RFC 9457). */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  /** Known names that are like the one that was given. */
  matches?: string[];
  /** All known names. */
  known?: string[];
  /** Of the project's own code, if it has failed. */
  traceback?: string;
  [more: string]: any;
}

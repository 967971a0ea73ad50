import "./cypress-commands.js";

export { SaneError } from "./answers.js";
export type * from "./types.js";

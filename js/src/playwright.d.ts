import type {
  Fixtures, PlaywrightTestArgs, PlaywrightTestOptions, PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
} from "@playwright/test";
import type { Sane } from "./index.js";

export { SaneError } from "./answers.js";
export type * from "./types.js";

export interface SaneOptions {
  /** Whether there is a reset before each test: true. */
  saneResets: boolean;
}

export interface SaneFixtures {
  /** The reset before each test. */
  saneReset: void;
  /** A client of the integration server, whose `login()` logs the test's pages in. */
  sane: Sane;
}

/** For `test.extend(fixtures)`. */
export declare const fixtures: Fixtures<
  SaneFixtures & SaneOptions,
  {},
  PlaywrightTestArgs & PlaywrightTestOptions,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions
>;

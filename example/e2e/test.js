// The test() of all specs: Playwright's, with the fixture `sane` and a reset before each test.

import { test as base } from "@playwright/test";
import { fixtures } from "sanerunner/playwright";

export { expect } from "@playwright/test";
export const test = base.extend(fixtures);

// Fixtures of Playwright: `test.extend(fixtures)`. Playwright itself is not imported, so that
// it is the project's own, and there once.

import { Sane, SaneError, sane } from "./index.js";

export { SaneError };

/** Logs the page in as well. */
class PageSane extends Sane {
  #context;
  #site;

  /**
   * @param {import("@playwright/test").BrowserContext} context
   * @param {string | undefined} site the URL that pages are at
   */
  constructor(context, site) {
    super();
    this.#context = context;
    this.#site = site;
  }

  /**
   * @override
   * @param {import("./types.js").User} user
   */
  async login(user) {
    /** @type {import("./types.js").Login} */
    const login = await super.login(user);
    const { name, value, path, domain, secure, httpOnly, sameSite } = login.cookie;
    const cookie = {
      name,
      value,
      path,
      domain: domain ?? new URL(this.#site ?? this.url).hostname,
      secure,
      httpOnly,
    };
    await this.#context.addCookies([sameSite === null ? cookie : { ...cookie, sameSite }]);
    return login;
  }
}

/** @type {typeof import("./playwright.js").fixtures} */
export const fixtures = {
  saneResets: [true, { option: true }],

  saneReset: [
    async ({ saneResets }, use, testInfo) => {
      if (saneResets) {
        requireOneWorker(testInfo.config.workers);
        await sane.reset();
      }
      await use();
    },
    { auto: true },
  ],

  sane: async ({ context, baseURL }, use) => {
    await use(new PageSane(context, baseURL));
  },
};

/** @param {number} workers */
function requireOneWorker(workers) {
  if (workers > 1) {
    const detail =
      `Playwright has ${workers} workers, and a reset for the test of one takes the data of the ` +
      "others: set workers: 1 in Playwright's configuration, or saneResets: false.";
    throw new SaneError("saneReset", { detail });
  }
}

// Run by: python manage.py integrationserver --exec "npx playwright test"
// which says where the site is (PLAYWRIGHT_TEST_BASE_URL).

import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

// A browser of the system, if there is one; else the one of "npx playwright install chromium".
const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].find(
  (path) => path && existsSync(path),
);

export default defineConfig({
  testDir: "e2e",
  workers: 1, // one server, one set of databases
  forbidOnly: Boolean(process.env.CI),
  outputDir: "reports/playwright",
  reporter: [["list"], ["junit", { outputFile: "reports/playwright.xml" }]],
  use: {
    browserName: "chromium",
    locale: "en",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      // No sandbox: CI runs as root in a container. The others keep a browser from calls of its own.
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});

// The page with a script: a customer looks for plants, and notes those that are wanted.

import { expect, test } from "./test.js";

test.beforeEach(async ({ sane }) => {
  await sane.create("plant", { name: "Tree fern" });
  await sane.create("plant", { name: "Staghorn fern" });
});

async function find(page, name) {
  await page.goto("/find/");
  await page.getByRole("searchbox").fill(name);
  await page.getByRole("button", { name: "Find" }).click();
}

test("plants are found by a part of their name", async ({ page }) => {
  await find(page, "fern");
  await expect(page.locator("#found .name")).toHaveText(["Staghorn fern", "Tree fern"]);
});

test("wishes are counted", async ({ page }) => {
  await find(page, "fern");
  for (const [wishes, row] of [["1", "Tree fern"], ["2", "Staghorn fern"], ["2", "Tree fern"]]) {
    const noted = page.waitForResponse((answer) => answer.request().method() === "POST");
    await page.getByRole("listitem").filter({ hasText: row }).getByRole("button").click();
    await noted;
    await expect(page.locator("#wishes")).toHaveText(wishes);
  }
});

test("wishes of another test are forgotten", async ({ page }) => {
  await page.goto("/find/");
  await expect(page.locator("#wishes")).toHaveText("0");
});

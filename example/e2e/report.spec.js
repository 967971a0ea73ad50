// The stock report is for staff.

import { expect, test } from "./test.js";

test("who is not logged in is asked to", async ({ page }) => {
  await page.goto("/ledger/");
  await expect(page).toHaveURL(/\/admin\/login\//);
});

test("staff see that shop and ledger disagree", async ({ page, sane }) => {
  await sane.login("alice"); // the populated state has her
  await sane.scenario("theft", { sku: "herb-thyme", quantity: 2 });
  await page.goto("/ledger/");
  await expect(page.getByRole("row").filter({ hasText: "herb-thyme" })).toContainText("42");
});

test("a user of this test only", async ({ page, sane }) => {
  await sane.scenario("clerk", { name: "bob" });
  const { user } = await sane.login("bob");
  expect(user.name).toBe("bob");
  await page.goto("/ledger/");
  await expect(page.getByRole("heading", { name: "Stock report" })).toBeVisible();
});

test("a mistake is explained", async ({ sane }) => {
  await expect(sane.login("bob")).rejects.toThrow("There is no user 'bob'. Known: alice.");
});

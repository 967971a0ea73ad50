// A customer orders a plant.

import { expect, test } from "./test.js";

async function orders(sane) {
  const { counts } = await sane.state();
  return counts.default["orders.Order"];
}

async function order(page, { sku, quantity }) {
  await page.goto(`/order/new/${sku}/`);
  await page.getByLabel("Your name").fill("Rosa");
  await page.getByLabel("Your e-mail").fill("rosa@customers.example");
  await page.getByLabel("How many").fill(String(quantity));
  await page.getByRole("button", { name: "Order" }).click();
}

test("an order has a total and is confirmed by mail", async ({ page, sane }) => {
  const plant = await sane.create("plant", { name: "Fern", price: "4.50", stock: 3 });
  await order(page, { sku: plant.sku, quantity: 2 });
  await expect(page.getByRole("heading", { name: "Thank you for your order, Rosa" })).toBeVisible();
  await expect(page.locator("#total")).toHaveText("€13.90");
  const [message, ...others] = await sane.mail();
  expect(others).toEqual([]);
  expect(message).toMatchObject({
    subject: "Your order from the nursery",
    to: ["rosa@customers.example"],
  });
});

test("nothing is left of the order of another test", async ({ page, sane }) => {
  expect(await sane.mail()).toEqual([]);
  expect(await orders(sane)).toBe(12); // those of the populated state
  await page.goto("/");
  await expect(page.getByText("Fern")).toHaveCount(0);
});

test("more than there are cannot be ordered", async ({ page, sane }) => {
  const plant = await sane.create("plant", { stock: 1 });
  await order(page, { sku: plant.sku, quantity: 2 });
  await expect(page.getByText("We have only 1 of these.")).toBeVisible();
  expect(await orders(sane)).toBe(12);
});

test("who was first gets the last one", async ({ page, sane }) => {
  const { sku } = await sane.create("plant", { stock: 1 });
  await sane.checkpoint("one left");
  await order(page, { sku, quantity: 1 });
  await expect(page.locator("#total")).toBeVisible();
  await order(page, { sku, quantity: 1 });
  await expect(page.getByText("We have only 0 of these.")).toBeVisible();
  await sane.rollback("one left");
  await order(page, { sku, quantity: 1 });
  await expect(page.locator("#total")).toBeVisible();
});

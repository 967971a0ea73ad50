// What people write in TypeScript; only checked, never run. An error that is expected has to be one.

import { test as base } from "@playwright/test";
import { Sane, SaneError, sane, type Message } from "sanerunner";
import "sanerunner/cypress";
import { fixtures } from "sanerunner/playwright";

interface Plant {
  sku: string;
}

export async function client(): Promise<void> {
  const one: Plant = await sane.create<Plant>("plant", { stock: 3 });
  const traited: Plant = await sane.create<Plant>("plant", {}, { traits: ["sold_out"] });
  const many: Plant[] = await sane.create<Plant>("plant", { stock: 3 }, { count: 3 });
  const messages: Message[] = await new Sane({ url: "http://127.0.0.1:1", token: "t" }).mail();
  const login = await sane.login({ email: one.sku + traited.sku + many[0]?.sku });
  await fetch(sane.url, { headers: { Cookie: `${login.cookie.name}=${login.cookie.value}` } });
  await sane.time(new Date(), { tick: true });
  await sane.command([{ command: "reset" }, { command: "factory", factory: "plant", count: 2 }]);
  const status: number = new SaneError("name", { detail: messages.join() }).status;
  // @ts-expect-error: one object is no array
  const wrong: Plant[] = await sane.create<Plant>("plant");
  // @ts-expect-error: no such verb
  await sane.command([{ command: "resett", status, wrong }]);
}

const test = base.extend(fixtures);
test.use({ saneResets: false });
test("a page", async ({ page, sane }) => {
  await sane.login("alice");
  await page.goto("/");
  // @ts-expect-error: a count is a number
  await sane.create("plant", {}, { count: "3" });
});

it("is known to Cypress", () => {
  cy.saneReset();
  cy.saneCreate<Plant>("plant", {}, { count: 2 }).then((plants) => plants[0]?.sku);
  cy.saneCreate<Plant>("plant").its("sku").should("be.a", "string");
  cy.saneLogin("alice").then(({ user }) => user.name);
  cy.saneMail().then((messages) => messages[0]?.subject);
  // @ts-expect-error: a name is a string
  cy.saneCheckpoint(1);
});

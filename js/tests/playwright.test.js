// Playwright's fixtures without Playwright; with it, they run in the specs of the example.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { sane } from "sanerunner";
import { fixtures } from "sanerunner/playwright";
import { count, site } from "./server.js";

let populated;

beforeEach(async () => {
  await sane.reset();
  populated = await count("orders.Customer");
});

const [reset, { auto }] = fixtures.saneReset;

async function resetWith({ saneResets = true, workers = 1 }) {
  let used = 0;
  await reset({ saneResets }, async () => (used += 1), { config: { workers } });
  assert.equal(used, 1);
}

async function loginAt(baseURL, user) {
  const cookies = [];
  const context = { addCookies: async (added) => cookies.push(...added) };
  let login;
  await fixtures.sane({ context, baseURL }, async (each) => (login = await each.login(user)));
  return { cookies, login };
}

test("each test begins with a reset", async () => {
  assert.equal(auto, true);
  await sane.create("customer");
  await resetWith({});
  assert.equal(await count("orders.Customer"), populated);
});

test("a reset that is not wanted", async () => {
  await sane.create("customer");
  await resetWith({ saneResets: false, workers: 2 });
  assert.equal(await count("orders.Customer"), populated + 1);
});

test("several workers would take each other's data", async () => {
  await sane.create("customer");
  await assert.rejects(resetWith({ workers: 2 }), /2 workers.* set workers: 1/);
  assert.equal(await count("orders.Customer"), populated + 1);
});

test("a login is in the context's cookies, for where the pages are", async () => {
  const { cookies, login } = await loginAt("http://localhost:8000/", "alice");
  assert.equal(login.user.name, "alice");
  const { name, value, path } = login.cookie;
  assert.deepEqual(cookies, [
    { name, value, path, domain: "localhost", secure: false, httpOnly: true, sameSite: "Lax" },
  ]);
  const { cookies: others } = await loginAt(undefined, "alice");
  assert.equal(others[0].domain, new URL(site).hostname);
});

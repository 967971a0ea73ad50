// Cypress's commands, with a stand-in for Cypress (standin.js) and a running server.

import assert from "node:assert/strict";
import { before, beforeEach, describe, test } from "node:test";
import { SaneError, sane } from "sanerunner";
import { count, order, site, stranger, token } from "./server.js";
import { standIn } from "./standin.js";

const good = { baseUrl: site, env: { SANE_CONTROL_TOKEN: token } };
let registered;

before(async () => {
  registered = standIn(good);
  await import("sanerunner/cypress");
});

beforeEach(() => sane.reset());

/** Return another Cypress with the same commands, which they find from now on. */
function cypress(changes = {}) {
  const other = standIn({ ...good, ...changes });
  for (const [name, run] of Object.entries(registered.commands)) {
    other.Cypress.Commands.add(name, run);
  }
  return other;
}

describe("commands", () => {
  test("each verb is one", () => {
    const verbs = Object.getOwnPropertyNames(Object.getPrototypeOf(sane));
    const names = verbs.filter((name) => !["constructor", "url"].includes(name));
    assert.deepEqual(
      Object.keys(registered.commands).sort(),
      names.map((name) => `sane${name[0].toUpperCase()}${name.slice(1)}`).sort(),
    );
  });

  test("there is a reset before each test", async () => {
    const populated = await count("orders.Customer");
    await sane.create("customer");
    const { started } = cypress();
    assert.equal(registered.hooks.length, 1);
    registered.hooks[0]();
    assert.equal(started.length, 1);
    assert.equal(await started[0].done, null);
    assert.equal(await count("orders.Customer"), populated);
  });

  test("objects", async () => {
    const { cy } = cypress();
    assert.equal((await cy.saneCreate("plant", { name: "Růže" }).done).name, "Růže");
    const plants = await cy.saneCreate("plant", {}, { count: 2, traits: ["sold_out"] }).done;
    assert.deepEqual(plants.map(({ stock }) => stock), [0, 0]);
  });

  test("a value can be used by the next command", async () => {
    const { cy } = cypress();
    const chain = cy
      .saneCreate("customer", { name: "Rosa" })
      .then(({ pk }) => cy.saneCreate("order", { customer_id: pk }));
    const { customer_id: pk } = await chain.done;
    assert.equal(typeof pk, "number");
  });

  test("a login is in the browser's cookies", async () => {
    const { cy, jar } = cypress();
    const { cookie, user } = await cy.saneLogin("alice").done;
    assert.equal(user.name, "alice");
    assert.equal(jar.get(cookie.name), cookie.value);
  });

  test("mail, scenarios, states, time", async () => {
    const { cy } = cypress();
    assert.equal((await cy.saneScenario("clerk", { name: "bob" }).done).username, "bob");
    assert.equal(await cy.saneCheckpoint("bob").done, null);
    await order((await cy.saneCreate("plant").done).sku);
    assert.equal((await cy.saneMail().done).length, 1);
    assert.equal(await cy.saneRollback("bob").done, null);
    assert.deepEqual(await cy.saneMail().done, []);
    assert.equal((await cy.saneState().done).counts.default["auth.User"], 2);
    assert.equal(await cy.saneTime(null).done, null);
    const results = await cy.saneCommand([{ command: "reset" }, { command: "state" }]).done;
    assert.equal(results[1].counts.default["auth.User"], 1);
  });

  test("what is logged has no token", async () => {
    const { cy, logged } = cypress();
    await cy.saneCreate("plant", { stock: 1 }).done;
    const [entry] = logged;
    assert.equal(entry.name, "saneCreate");
    assert.equal(entry.message, '"plant", {"stock":1}');
    assert.ok(!JSON.stringify([entry, entry.consoleProps()]).includes(token));
  });

  test("the token by cy.env(), where that is", async () => {
    const { cy } = cypress({ hasEnvCommand: true });
    assert.equal((await cy.saneCreate("plant", { stock: 9 }).done).stock, 9);
  });
});

describe("errors", () => {
  const failure = async (chain, pattern) => {
    await assert.rejects(chain.done, (error) => {
      assert.ok(error instanceof SaneError, String(error));
      assert.match(error.message, pattern);
      return true;
    });
  };

  test("a problem is told", async () => {
    const { cy } = cypress();
    await failure(cy.saneCreate("plnt"), /^cy\.saneCreate: There is no factory.* mean 'plant'\?/);
    await failure(cy.saneCreate("plant", { price: -1 }), /IntegrityError[^]*Traceback/);
  });

  test("no token, no baseUrl, a wrong token", async () => {
    await failure(cypress({ env: {} }).cy.saneReset(), /No token .*CYPRESS_SANE_CONTROL_TOKEN/);
    await failure(cypress({ baseUrl: null }).cy.saneReset(), /No URL .*CYPRESS_BASE_URL/);
    const wrong = cypress({ env: { SANE_CONTROL_TOKEN: "wrong" } });
    await failure(wrong.cy.saneReset(), /^cy\.saneReset: Send the token/);
  });

  test("a baseUrl with a path: the control API is in front of all", async () => {
    const { cy } = cypress({ baseUrl: `${site}/find/` });
    assert.equal((await cy.saneState().done).url, site);
  });

  test("a site without control API", async (context) => {
    const baseUrl = await stranger(context, (request, response) => response.end("<html>"));
    await failure(cypress({ baseUrl }).cy.saneState(), /is no integration server .* answers 200/);
  });
});

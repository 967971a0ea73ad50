// The client, against a running server.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Sane, SaneError, sane } from "sanerunner";
import { count, order, site, stranger, token } from "./server.js";

beforeEach(() => sane.reset());

describe("objects", () => {
  test("one is an object of its fields", async () => {
    const plant = await sane.create("plant", { name: "Růže", stock: 7 });
    assert.equal(plant.name, "Růže");
    assert.equal(plant.stock, 7);
    assert.equal(plant.pk, plant.id);
    assert.match(await (await fetch(`${site}/`)).text(), /Růže/);
  });

  test("several are an array, and so is one of a count", async () => {
    const before = await count("catalogue.Plant");
    const plants = await sane.create("plant", { stock: 7 }, { count: 3 });
    assert.deepEqual(plants.map(({ stock }) => stock), [7, 7, 7]);
    assert.equal((await sane.create("plant", undefined, { count: 1 })).length, 1);
    assert.deepEqual(await sane.create("plant", {}, { count: 0 }), []);
    assert.equal(await count("catalogue.Plant"), before + 4);
  });

  test("traits", async () => {
    const plant = await sane.create("plant", {}, { traits: ["sold_out"] });
    assert.equal(plant.stock, 0);
  });

  test("a Date is a time", async () => {
    const at = new Date("2030-01-31T12:00:00Z");
    const { placed_at: placed } = await sane.create("order", { placed_at: at });
    assert.equal(new Date(placed).getTime(), at.getTime());
  });
});

describe("states", () => {
  test("a reset takes away what was made", async () => {
    const before = await sane.state();
    await sane.create("order_line", {}, { count: 5 });
    assert.equal(await count("orders.OrderLine"), before.counts.default["orders.OrderLine"] + 5);
    assert.equal(await sane.reset(), undefined);
    assert.deepEqual((await sane.state()).counts, before.counts);
  });

  test("what was populated is there", async () => {
    const { aliases, checkpoints, factories, url } = await sane.state();
    assert.deepEqual(aliases, ["default", "ledger"]);
    assert.ok(checkpoints.includes("populated"));
    assert.ok(factories.includes("plant"));
    assert.equal(url, sane.url);
    assert.equal(await count("auth.User"), 1);
  });

  test("a checkpoint is returned to", async () => {
    const before = await count("orders.Customer");
    await sane.create("customer");
    await sane.checkpoint("one customer");
    await sane.create("customer");
    assert.equal(await sane.rollback("one customer"), undefined);
    assert.equal(await count("orders.Customer"), before + 1);
  });

  test("commands are applied in order, all or none", async () => {
    const before = await count("orders.Customer");
    const results = await sane.command([
      { command: "factory", factory: "customer", count: 2 },
      { command: "scenario", name: "clerk", arguments: { name: "bob" } },
    ]);
    assert.equal(results[0].objects.length, 2);
    assert.equal(results[1].result.username, "bob");
    const commands = [
      { command: "factory", factory: "customer" },
      { command: "factory", factory: "plant", attributes: { price: -1 } },
    ];
    const error = await failure(sane.command(commands));
    assert.equal(error.problem.command, 1);
    assert.equal(await count("orders.Customer"), before + 2);
  });
});

describe("the site", () => {
  test("mail is read, and gone after a reset", async () => {
    const { sku } = await sane.create("plant");
    assert.equal((await order(sku)).status, 200);
    const [message] = await sane.mail();
    assert.equal(message.subject, "Your order from the nursery");
    assert.deepEqual(message.to, ["rosa@customers.example"]);
    assert.equal(message.html, null);
    await sane.reset();
    assert.deepEqual(await sane.mail(), []);
  });

  test("a login is a session", async () => {
    const { cookie, user } = await sane.login("alice");
    assert.equal(user.name, "alice");
    const report = (headers) => fetch(`${site}/ledger/`, { headers, redirect: "manual" });
    assert.equal((await report({})).status, 302);
    const headers = { Cookie: `${cookie.name}=${cookie.value}` };
    assert.equal((await report(headers)).status, 200);
    await sane.reset();
    assert.equal((await report(headers)).status, 302);
  });

  test("a user by fields and by primary key", async () => {
    const { user } = await sane.login({ username: "alice" });
    assert.equal((await sane.login(user.pk)).user.name, "alice");
  });

  test("a scenario returns what its function returns", async () => {
    const movement = await sane.scenario("theft", { sku: "herb-thyme", quantity: 3 });
    assert.equal(movement.quantity, 3);
    assert.equal((await sane.scenario("clerk", { name: "bob" })).username, "bob");
  });

  test("time", async () => {
    const at = "2030-01-31T12:00:00+00:00";
    const error = await sane.time(new Date(at)).catch((caught) => caught);
    if (error !== undefined) {
      assert.match(error.message, /pip install sanerunner\[time\]/); // without time-machine
      return;
    }
    assert.equal((await sane.state()).time, at);
    const { placed_at: placed } = await sane.create("order");
    assert.equal(new Date(placed).getTime(), new Date(at).getTime());
    await sane.time(null);
    assert.equal((await sane.state()).time, null);
  });
});

describe("errors", () => {
  test("an unknown factory: near matches and all names", async () => {
    const error = await failure(sane.create("plnt"));
    assert.equal(error.name, "SaneError");
    assert.equal(error.status, 404);
    assert.deepEqual(error.problem.matches, ["plant"]);
    assert.ok(error.problem.known.includes("order"));
    assert.match(error.message, /^sane\.create: There is no factory 'plnt'\. Did you mean 'plant'\?/);
  });

  test("an unknown attribute is named", async () => {
    const error = await failure(sane.create("plant", { colour: "green" }));
    assert.equal(error.status, 422);
    assert.equal(error.problem.attribute, "colour");
  });

  test("a factory that fails: its traceback", async () => {
    const error = await failure(sane.create("plant", { price: -1 }));
    assert.equal(error.status, 500);
    assert.match(error.message, /IntegrityError[^]*\nTraceback \(most recent call last\)/);
    assert.equal(error.problem.exception, "IntegrityError");
  });

  test("unknown names of scenarios, users and states", async () => {
    for (const call of [
      () => sane.scenario("../reset"),
      () => sane.scenario("clark"),
      () => sane.login("alise"),
      () => sane.rollback("never"),
    ]) {
      assert.equal((await failure(call())).status, 404, String(call));
    }
  });

  test("a wrong token", async () => {
    const error = await failure(new Sane({ url: site, token: "wrong" }).state());
    assert.equal(error.status, 401);
    assert.match(error.message, /SANE_CONTROL_TOKEN/);
    assert.ok(!error.message.includes(token));
  });

  test("no URL, no token", async () => {
    assert.match((await failure(new Sane({ url: "" }).reset())).message, /No URL .* SANE_BASE_URL/);
    assert.match((await failure(new Sane({ token: "" }).reset())).message, /No token .* --exec/);
  });

  test("a date that is none does not set the real time", async () => {
    await assert.rejects(sane.time(new Date("nonsense")), RangeError);
  });

  test("nobody answers", async (context) => {
    const url = await stranger(context, (request) => request.socket.destroy());
    const error = await failure(new Sane({ url, token }).reset());
    assert.equal(error.status, 0);
    assert.ok(error.message.startsWith(`sane.reset: The integration server at ${url} does not`));
    assert.doesNotMatch(error.message, /fetch failed/); // but why
    assert.ok(error.cause);
  });

  test("an answer that never comes", async (context) => {
    const url = await stranger(context, () => {});
    const error = await failure(new Sane({ url, token, timeout: 20 }).state());
    assert.match(error.message, /does not answer: .*timeout/);
  });

  test("another server, which is not followed anywhere", async (context) => {
    const asked = [];
    const url = await stranger(context, (request, response) => {
      asked.push(request.url);
      response.writeHead(307, { Location: `${site}/__sane__/reset/` }).end();
    });
    const error = await failure(new Sane({ url, token }).reset());
    assert.match(error.message, /is no integration server with a control API: it answers 307/);
    assert.deepEqual(asked, ["/__sane__/reset/"]);
  });

  test("another server, which speaks JSON", async (context) => {
    const url = await stranger(context, (request, response) => {
      response.writeHead(404, { "Content-Type": "application/json" }).end('{"error": "no"}');
    });
    const error = await failure(new Sane({ url: `${url}/`, token }).reset());
    assert.equal(error.message, `sane.reset: ${url}/__sane__/reset/ answers 404`);
  });
});

/** Return the SaneError of a call. */
async function failure(promise) {
  const error = await promise.then(
    (value) => assert.fail(`no error, but ${JSON.stringify(value)}`),
    (caught) => caught,
  );
  assert.ok(error instanceof SaneError, String(error));
  return error;
}

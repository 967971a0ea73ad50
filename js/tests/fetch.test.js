// The control API by nothing but fetch(), as the documentation has it.

import assert from "node:assert/strict";
import { test } from "node:test";
import "./server.js";

// [documented
const { SANE_BASE_URL, SANE_CONTROL_TOKEN } = process.env;

async function control(path, body) {
  const answer = await fetch(`${SANE_BASE_URL}/__sane__/${path}/`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${SANE_CONTROL_TOKEN}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify(body),
  });
  const value = await answer.json();
  if (!answer.ok) {
    throw new Error(value.detail);
  }
  return value;
}

test("a plant that is sold out", async () => {
  await control("reset", {});
  const { objects } = await control("factory", { factory: "plant", traits: ["sold_out"] });
  const page = await fetch(`${SANE_BASE_URL}/plants/${objects[0].sku}/`);
  assert.match(await page.text(), /sold out/i);
});
// documented]

test("a problem is an error", async () => {
  await assert.rejects(control("factory", { factory: "plnt" }), /Did you mean 'plant'\?/);
});

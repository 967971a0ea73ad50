// The integration server of the example project, which has to run these tests.

import { createServer } from "node:http";
import { sane } from "sanerunner";

if (!process.env.SANE_BASE_URL || !process.env.SANE_CONTROL_TOKEN) {
  throw new Error(
    "These tests need a server. In example/: python manage.py integrationserver " +
      '--exec "npm test --prefix ../js"',
  );
}

export const site = process.env.SANE_BASE_URL;
export const token = process.env.SANE_CONTROL_TOKEN;

/** Fill in the order form; return the page that follows. */
export async function order(sku, quantity = 1) {
  const form = `${site}/order/new/${sku}/`;
  const [cookie] = (await fetch(form)).headers.getSetCookie();
  const csrf = cookie.match(/^csrftoken=([^;]+)/)[1];
  const data = { name: "Rosa", email: "rosa@customers.example", quantity, csrfmiddlewaretoken: csrf };
  const headers = { Cookie: `csrftoken=${csrf}` };
  return fetch(form, { method: "POST", headers, body: new URLSearchParams(data) });
}

/** How many rows there are of a model. */
export async function count(model, alias = "default") {
  return (await sane.state()).counts[alias][model];
}

/** Start a server that is none of ours; return its URL. It ends with the test. */
export async function stranger(test, answer) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

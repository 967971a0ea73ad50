// What is published.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as imported from "sanerunner";

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const described = JSON.parse(read("package.json"));

test("nothing is needed to run it", () => {
  assert.equal(described.dependencies, undefined);
});

test("the version is the Python package's", () => {
  assert.ok(read("../sanerunner/_version.py").includes(`"${described.version}"`));
});

test("all that is exported is there, with types", () => {
  for (const [name, found] of Object.entries(described.exports)) {
    const paths = typeof found === "string" ? [found] : Object.values(found);
    for (const path of paths) {
      assert.ok(existsSync(new URL(`../${path}`, import.meta.url)), `${name}: ${path}`);
    }
  }
});

test("the lockfile names no place to download from", () => {
  for (const path of ["package-lock.json", "../example/package-lock.json"]) {
    const packages = Object.entries(JSON.parse(read(path)).packages);
    const located = packages.filter(([, { resolved = "" }]) => /^\w+:\/\//.test(resolved));
    assert.deepEqual(located, [], path);
    assert.ok(packages.some(([, { integrity }]) => integrity), path);
  }
});

const skip = process.features.require_module ? false : "this Node cannot require() ES modules";
test("require() gets the same", { skip }, () => {
  const required = createRequire(import.meta.url)("sanerunner");
  assert.equal(required.sane, imported.sane);
});

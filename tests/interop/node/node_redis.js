// What an application does with node-redis and its client-side cache. The port is the argument; ends with "all well"
// and 0, or with an assertion.
"use strict";
const assert = require("node:assert");
const { createClient, BasicClientSideCache } = require("@redis/client");

async function until(holds) {
  for (let tries = 0; tries < 500; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("it did not come to hold: " + holds);
}

async function main() {
  const url = `redis://127.0.0.1:${process.argv[2]}`;
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: "LRU" });
  const reader = createClient({ url, RESP: 3, clientSideCache: cache });
  const writer = createClient({ url });
  for (const client of [reader, writer]) {
    client.on("error", (error) => assert.fail(error));
    await client.connect();
  }

  await writer.set("a", "1");
  assert.strictEqual(await reader.get("a"), "1");
  assert.strictEqual(await reader.get("a"), "1");
  assert.deepStrictEqual([cache.stats().missCount, cache.stats().hitCount], [1, 1]);
  await writer.set("a", "2");
  await until(async () => (await reader.get("a")) === "2");

  await reader.set("own", "1");
  assert.strictEqual(await reader.get("own"), "1");
  await reader.incr("own");
  await until(async () => (await reader.get("own")) === "2");

  await writer.hSet("h", { f: "1" });
  assert.strictEqual((await reader.hGetAll("h")).f, "1");
  assert.ok(cache.size() > 0);
  await writer.flushAll();
  await until(() => cache.size() === 0);
  assert.strictEqual(await reader.get("a"), null);

  await writer.set("soon", "1");
  assert.strictEqual(await reader.get("soon"), "1");
  await writer.pExpire("soon", 20);
  await until(async () => (await reader.get("soon")) === null);

  await reader.close();
  await writer.close();
  console.log("all well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

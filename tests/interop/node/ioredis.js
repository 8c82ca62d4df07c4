// What an application does with ioredis. The port is the argument; ends with "all well" and 0, or with an assertion.
"use strict";
const assert = require("node:assert");
const Redis = require("ioredis");

async function main() {
  const port = Number(process.argv[2]);
  const redis = new Redis({ port, db: 1, connectionName: "node", enableReadyCheck: true });
  assert.strictEqual(await redis.set("a", "1", "EX", 100), "OK");
  assert.strictEqual(await redis.get("a"), "1");
  assert.strictEqual(await redis.incr("a"), 2);
  assert.deepStrictEqual(await redis.mget("a", "nope"), ["2", null]);
  await redis.hset("h", { f: 1, g: "x" });
  assert.deepStrictEqual(await redis.hgetall("h"), { f: "1", g: "x" });
  await redis.zadd("z", 1, "one", 2.5, "two");
  assert.deepStrictEqual(await redis.zrange("z", 0, -1, "WITHSCORES"), ["one", "1", "two", "2.5"]);
  await redis.sadd("s", "a", "b");
  assert.deepStrictEqual((await redis.smembers("s")).sort(), ["a", "b"]);
  const id = await redis.xadd("st", "*", "f", "v");
  assert.deepStrictEqual(await redis.xrange("st", "-", "+"), [[id, ["f", "v"]]]);

  const results = await redis.pipeline().set("p", 1).incr("p").lpush("p", 1).exec();
  assert.deepStrictEqual(results.slice(0, 2), [[null, "OK"], [null, 2]]);
  assert.match(results[2][0].message, /WRONGTYPE/);
  assert.deepStrictEqual(await redis.multi().incr("p").get("p").exec(), [[null, 3], [null, "3"]]);

  const listener = new Redis({ port });
  const heard = new Promise((resolve) => listener.on("message", (channel, text) => resolve([channel, text])));
  await listener.subscribe("news");
  await redis.publish("news", "hello");
  assert.deepStrictEqual(await heard, ["news", "hello"]);

  const blocked = new Redis({ port, db: 1 });
  const job = blocked.blpop("queue", 10);
  await redis.rpush("queue", "job");
  assert.deepStrictEqual(await job, ["queue", "job"]);

  const found = new Set();
  for await (const keys of redis.scanStream({ match: "*", count: 2 })) keys.forEach((key) => found.add(key));
  assert.deepStrictEqual([...found].sort(), ["a", "h", "p", "s", "st", "z"]);
  assert.match(await redis.info("server"), /redis_version:7\.4/);
  await assert.rejects(redis.call("NOPE"), /unknown command 'NOPE'/);
  for (const client of [redis, listener, blocked]) assert.strictEqual(await client.quit(), "OK");
  console.log("all well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

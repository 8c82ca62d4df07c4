// An application that finds its leader through sentinels with ioredis. The ports of the sentinels are the arguments, with
// commas; it appends rising numbers to the list "ioredis", and prints each that was acknowledged, until its input ends.
"use strict";
const Redis = require("ioredis");

async function main() {
  const sentinels = process.argv[2].split(",").map((port) => ({ host: "127.0.0.1", port: Number(port) }));
  const redis = new Redis({
    sentinels,
    name: "crm",
    commandTimeout: 2000,
    maxRetriesPerRequest: 0,
    sentinelRetryStrategy: () => 100,
    retryStrategy: () => 100,
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  });
  redis.on("error", () => {});
  let ends = false;
  process.stdin.on("end", () => (ends = true)).resume();
  for (let number = 1; !ends; number++) {
    try {
      await redis.rpush("ioredis", number);
      console.log(number);
    } catch {
      // whether it was written nobody knows: it is not sent again
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  redis.disconnect();
}

main();

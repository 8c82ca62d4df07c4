// Queues of BullMQ: jobs, retries, delays, priorities, flows, events. The port is the argument; ends with "all well" and
// 0, or with an assertion.
"use strict";
const assert = require("node:assert");
const { Queue, Worker, QueueEvents, FlowProducer } = require("bullmq");

async function main() {
  const connection = { port: Number(process.argv[2]), maxRetriesPerRequest: null };
  const queue = new Queue("shop", { connection });
  const events = new QueueEvents("shop", { connection });
  await events.waitUntilReady();
  const order = [];
  let failures = 0;
  const worker = new Worker(
    "shop",
    async (job) => {
      if (job.name === "flaky" && failures++ < 2) throw new Error("not yet");
      if (job.name === "broken") throw new Error("never");
      if (job.name === "whole") {
        const parts = Object.values(await job.getChildrenValues());
        return parts.reduce((sum, part) => sum + part, 0);
      }
      await job.updateProgress(50);
      order.push(job.data.number);
      return job.data.number * 2;
    },
    { connection, concurrency: 1, autorun: false },
  );
  worker.on("error", (error) => assert.fail(error));

  const last = await queue.add("add", { number: 3 }, { priority: 3 });
  const first = await queue.add("add", { number: 1 }, { priority: 1 });
  const second = await queue.add("add", { number: 2 }, { priority: 2 });
  assert.deepStrictEqual(await queue.getJobCounts("prioritized", "waiting", "completed"), {
    prioritized: 3,
    waiting: 0,
    completed: 0,
  });
  const running = worker.run();
  assert.strictEqual(await last.waitUntilFinished(events, 20000), 6);
  assert.strictEqual(await first.waitUntilFinished(events, 20000), 2);
  assert.strictEqual(await second.waitUntilFinished(events, 20000), 4);
  assert.deepStrictEqual(order, [1, 2, 3]);

  const flaky = await queue.add("flaky", { number: 4 }, { attempts: 3, backoff: { type: "fixed", delay: 20 } });
  assert.strictEqual(await flaky.waitUntilFinished(events, 20000), 8);
  const broken = await queue.add("broken", {});
  await assert.rejects(broken.waitUntilFinished(events, 20000), /never/);
  const delayed = await queue.add("add", { number: 5 }, { delay: 100 });
  assert.strictEqual(await delayed.waitUntilFinished(events, 20000), 10);

  const bulk = await queue.addBulk([6, 7, 8].map((number) => ({ name: "add", data: { number } })));
  assert.deepStrictEqual(await Promise.all(bulk.map((job) => job.waitUntilFinished(events, 20000))), [12, 14, 16]);
  const same = await Promise.all([1, 2].map(() => queue.add("add", { number: 9 }, { jobId: "only-once" })));
  assert.strictEqual(same[0].id, same[1].id);
  await same[0].waitUntilFinished(events, 20000);

  const flows = new FlowProducer({ connection });
  const children = [10, 20].map((number) => ({ name: "add", queueName: "shop", data: { number } }));
  const flow = await flows.add({ name: "whole", queueName: "shop", children });
  assert.strictEqual(await flow.job.waitUntilFinished(events, 20000), 60);

  await queue.pause();
  assert.strictEqual(await queue.isPaused(), true);
  await queue.resume();
  await queue.upsertJobScheduler("often", { every: 50 }, { name: "add", data: { number: 100 } });
  while (order.filter((number) => number === 100).length < 2) await new Promise((done) => setTimeout(done, 20));
  await queue.removeJobScheduler("often");

  assert.strictEqual((await queue.getFailed()).length, 1);
  assert.ok((await queue.getCompleted()).length >= 10);
  await queue.clean(0, 1000, "failed");
  assert.strictEqual(await queue.getFailedCount(), 0);
  await worker.close();
  await running;
  await queue.obliterate({ force: true });
  await Promise.all([flows.close(), events.close(), queue.close()]);
  console.log("all well");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

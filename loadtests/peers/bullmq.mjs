// BullMQ as a subject: the commands of loadtests/subjects/hosted.py, the messages of
// loadtests/messages.py, posted over keep-alive connections.
// Arguments: concurrency, `undici` (its Pool, the leanest way) or `fetch` (the built-in, the usual
// way, about three times the CPU), URL of the Redis socket.
import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Pool } from 'undici';

const concurrency = Number(process.argv[2]);
const post = process.argv[3] === 'fetch' ? postByFetch : postByUndici;
const path = new URL(process.argv[4]).pathname;
const name = 'deliveries';
const options = { removeOnComplete: true, removeOnFail: true, attempts: 5, backoff: { type: 'exponential', delay: 1000 } };
const queue = new Queue(name, { connection: new Redis({ path, maxRetriesPerRequest: null }), defaultJobOptions: options });
const pools = new Map();
const publishing = new Set();
const headers = { 'content-type': 'application/json' };
const portion = 500;
let plan, refused = [], why = '';

const worker = new Worker(name, deliver, {
  connection: new Redis({ path, maxRetriesPerRequest: null }), concurrency, autorun: false,
});
worker.on('error', (error) => process.stderr.write(`${error}\n`));

async function deliver(job) {
  const status = await post(job.data.url, job.data.body);
  if (status >= 300) throw new Error(`HTTP ${status}`);
}

async function postByFetch(url, body) {
  const answer = await fetch(url, { method: 'POST', body, headers });
  await answer.arrayBuffer();
  return answer.status;
}

async function postByUndici(url, body) {
  const { origin, pathname } = new URL(url);
  if (!pools.has(origin)) pools.set(origin, new Pool(origin, { connections: concurrency, pipelining: 1 }));
  const answer = await pools.get(origin).request({ method: 'POST', path: pathname, body, headers });
  await answer.body.dump();
  return answer.statusCode;
}

function made(number, dueNs) {
  const lane = number % plan.lanes;
  const tenant = plan.tenants[lane % plan.tenants.length];
  const mark = `@@${[plan.run, tenant, `c${lane}`, Math.floor(number / plan.lanes), dueNs].join('|')}@@`;
  const body = `{"text":"${mark.padEnd(plan.body_bytes - '{"text":""}'.length, 'x')}"}`;
  return { url: `${plan.base_url}/${tenant}`, body };
}

async function fill(limitS) {
  const deadline = performance.now() + limitS * 1000;
  let count = 0, tookMs = 0;
  while (count < plan.count && performance.now() < deadline) {
    const numbers = Array.from({ length: Math.min(portion, plan.count - count) }, (_, i) => count + i);
    const jobs = numbers.map((number) => ({ name: 'd', data: made(number, 0) }));
    const began = performance.now();
    await queue.addBulk(jobs);
    tookMs += performance.now() - began;
    count += numbers.length;
  }
  return { count, took_s: tookMs / 1000, cpu_s: 0, refused, why };
}

function publish(number, dueNs) {
  const task = queue.add('d', made(number, dueNs))
    .catch((error) => { refused.push(number); why = String(error); })
    .finally(() => publishing.delete(task));
  publishing.add(task);
}

let running = null;
const handlers = {
  plan: async (fields) => { plan = fields.plan; refused = []; return {}; },
  fill: async (fields) => fill(fields.limit_s),
  publish: async (fields) => { publish(fields.n, fields.due_ns); },
  published: async () => { await Promise.all(publishing); return { refused, why }; },
  start: async () => {
    if (running === null) running = worker.run();
    else worker.resume();
    return {};
  },
  // Paused, not closed: a closed worker cannot be run again.
  stop: async () => { await worker.pause(); return {}; },
};

await queue.waitUntilReady();
await worker.waitUntilReady();
process.stdout.write('{"ready": true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, ...fields } = JSON.parse(line);
  const answer = await handlers[what](fields);
  if (answer !== undefined) process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await Promise.race([worker.close(true), new Promise((resolve) => setTimeout(resolve, 2000))]);
process.exit(0);

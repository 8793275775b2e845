import { randomInt } from 'node:crypto';
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { createGatewayWorld, PLATFORM_KEY } from '../test/fixtures/gateway.ts';
import { type Bench, type Figure, figureOf, round } from './figure.ts';

/** What the model gateway adds to a call, and by how much a budget can be exceeded. */
export const benches: Bench[] = [
  { name: 'gateway_overhead_ms', run: overhead },
  { name: 'budget_overshoot_usd', run: overshoot },
];

const ROUNDS = 300;
const WARM_UP = 50;
/** About what an agent sends in the middle of its work: 100 kB of conversation. */
const BODY = JSON.stringify({
  model: 'main',
  max_tokens: 32_000,
  stream: true,
  messages: Array.from({ length: 100 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: [{ type: 'text', text: 'const greeting = "hello";\n'.repeat(38) }],
  })),
});

/** Two hundred events. */
const ANSWER = { text: 'x'.repeat(200 * 4_096) };

interface Timing {
  firstByteMs: number;
  wholeMs: number;
}

/** The same call with and without the gateway, in turns; each sample is the difference of a pair. */
async function overhead(): Promise<Figure[]> {
  const world = await createGatewayWorld({ limits: { maxTurns: 500, maxBudgetUsd: null } });
  const agent = new Agent({ keepAlive: true });
  try {
    const firstByte: number[] = [];
    const whole: number[] = [];
    for (let index = -WARM_UP; index < ROUNDS; index += 1) {
      world.provider.script(ANSWER, ANSWER);
      const direct = await timed(world.provider.url, PLATFORM_KEY, agent);
      const through = await timed(world.gateway.url, world.gateway.key, agent);
      if (index < 0) continue;
      firstByte.push(through.firstByteMs - direct.firstByteMs);
      whole.push(through.wholeMs - direct.wholeMs);
    }
    return [figureOf('gateway_overhead_ms', 'ms', whole), figureOf('gateway_first_byte_ms', 'ms', firstByte)];
  } finally {
    agent.destroy();
    await world.close();
  }
}

function timed(url: string, key: string, agent: Agent): Promise<Timing> {
  const { promise, resolve, reject } = Promise.withResolvers<Timing>();
  const start = performance.now();
  const headers = { 'x-api-key': key, 'content-type': 'application/json', 'content-length': BODY.length };
  const outgoing = request(`${url}/v1/messages`, { method: 'POST', agent, headers }, (incoming) => {
    if (incoming.statusCode !== 200) reject(new Error(`status ${incoming.statusCode}`));
    let firstByteMs = 0;
    incoming.on('data', () => {
      firstByteMs ||= performance.now() - start;
    });
    incoming.once('end', () => resolve({ firstByteMs, wholeMs: performance.now() - start }));
    incoming.once('error', reject);
  });
  outgoing.once('error', reject);
  outgoing.end(BODY);
  return promise;
}

const SCRIPTS = 100;

/** Random prices, budgets and usage, with up to five calls side by side until the budget is used up. */
async function overshoot(): Promise<Figure[]> {
  const over: { usd: number; calls: number }[] = [];
  for (let script = 0; script < SCRIPTS; script += 1) over.push(await overshootOfOne());
  const worst = Math.max(...over.map(({ usd }) => usd));
  const sorted = over.map(({ usd }) => round(usd)).sort((a, b) => a - b);
  return [
    {
      name: 'budget_overshoot_usd',
      value: round(worst),
      unit: 'USD',
      p50: sorted[Math.floor(SCRIPTS / 2)] ?? null,
      p99: sorted[SCRIPTS - 1] ?? null,
      n: SCRIPTS,
      ratio_to: 'the dearest call (at most 1 is right)',
      ratio: round(Math.max(...over.map(({ calls }) => calls))),
    },
  ];
}

async function overshootOfOne(): Promise<{ usd: number; calls: number }> {
  const input = randomInt(1, 75);
  const price = { input, output: input * 5, cacheWrite: input * 1.25, cacheRead: input / 10 };
  const budget = randomInt(1, 500) / 1_000;
  const world = await createGatewayWorld({
    limits: { maxTurns: 500, maxBudgetUsd: budget },
    prices: { main: price, small: price },
  });
  const body = { model: 'main', max_tokens: 400, messages: [{ role: 'user', content: 'x'.repeat(2_000) }] };
  try {
    for (let batch = 0; world.limits.length === 0 && batch < 200; batch += 1) {
      const calls = randomInt(1, 6);
      for (let call = 0; call < calls; call += 1)
        world.provider.script({
          usage: {
            input: randomInt(500),
            output: randomInt(400),
            cacheWrite: randomInt(500),
            cacheRead: randomInt(500),
          },
          ...(randomInt(8) === 0 ? { breakAfter: 4 } : {}),
        });
      await Promise.all(
        Array.from({ length: calls }, async () =>
          (await world.post('/v1/messages', { ...body, stream: randomInt(2) === 0 })).text(),
        ).map((call) => call.catch(() => 'broken off on purpose')),
      );
    }
    const usd = Math.max(0, world.gateway.usage().costUsd - budget);
    return { usd, calls: usd / Math.max(...world.usages.map(({ costUsd }) => costUsd)) };
  } finally {
    await world.close();
  }
}

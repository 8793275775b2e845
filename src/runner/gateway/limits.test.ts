import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { ScriptedAnswer } from '../../../test/fakes/model-server.ts';
import {
  createGatewayWorld,
  type GatewayWorld,
  message,
  type WorldOptions,
} from '../../../test/fixtures/gateway.ts';

let world: GatewayWorld;
const open = async (options?: WorldOptions): Promise<GatewayWorld> => {
  world = await createGatewayWorld(options);
  return world;
};
afterEach(() => world?.close());

describe('the budget', () => {
  it('lets the call through that goes over it, and none after it (O3)', async () => {
    const { post, provider, limits, gateway } = await open({ limits: { maxTurns: 100, maxBudgetUsd: 30 } });
    provider.script({ usage: { input: 20, output: 0 } }, { usage: { input: 20, output: 1 } });
    for (const status of [200, 200, 402, 402])
      expect((await post('/v1/messages', message())).status).toBe(status);
    expect(provider.requests).toHaveLength(2);
    expect(gateway.usage().costUsd).toBe(50);
    expect(limits).toEqual(['budget']);
  });

  it('is told to the agent so that it stops, and clients do not try again', async () => {
    const { post, provider } = await open({ limits: { maxTurns: 100, maxBudgetUsd: 30 } });
    provider.script({ usage: { input: 31, output: 0 } });
    await post('/v1/messages', message());
    const answer = await post('/v1/messages', message());
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(await answer.json()).toEqual({
      type: 'error',
      error: {
        type: 'billing_error',
        message:
          'The budget of this task is used up: $31.00 of $30.00. No further model call is possible, and trying again does not help. What is in the work tree is kept.',
      },
    });
  });

  it('may be lowered while it is open', async () => {
    const limits = { maxTurns: 100, maxBudgetUsd: 1_000 };
    const { post, provider } = await open({ limits });
    provider.script({ usage: { input: 20, output: 0 } });
    const statuses = [(await post('/v1/messages', message())).status];
    limits.maxBudgetUsd = 10;
    statuses.push((await post('/v1/messages', message())).status);
    expect(statuses).toEqual([200, 402]);
  });

  it('makes a call wait while another may still use it up', async () => {
    const { post, provider, gateway } = await open({ limits: { maxTurns: 100, maxBudgetUsd: 30 } });
    provider.script({ delayMs: 30, usage: { input: 31, output: 0 } });
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await post('/v1/messages', message())).status),
    );
    expect(statuses.sort()).toEqual([200, 402, 402]);
    expect(provider.requests).toHaveLength(1);
    expect(gateway.usage().costUsd).toBe(31);
  });

  it('lets calls go side by side as long as there is enough for all', async () => {
    const { post, provider } = await open({ limits: { maxTurns: 100, maxBudgetUsd: 1e9 } });
    provider.script({ delayMs: 30 }, { delayMs: 30 }, { delayMs: 30 });
    await Promise.all([1, 2, 3].map(() => post('/v1/messages', message())));
    expect(provider.requests).toHaveLength(3);
  });

  it('makes it wait no longer than until the other’s input is known', async () => {
    const { post, provider } = await open({ limits: { maxTurns: 100, maxBudgetUsd: 200 } });
    provider.script({ pieceMs: 25, usage: { input: 5, output: 1 } }, { usage: { input: 5, output: 1 } });
    const order: string[] = [];
    const call = async (name: string): Promise<void> => {
      await (await post('/v1/messages', message({ stream: true, max_tokens: 1 }))).text();
      order.push(name);
    };
    // A hundred bytes might be as many tokens, three dollars each; they turn out to be five.
    await Promise.all([call('first'), call('second')]);
    expect(order).toEqual(['second', 'first']);
  });

  it('holds for the small model as well', async () => {
    const { post, provider } = await open({ limits: { maxTurns: 100, maxBudgetUsd: 1 } });
    provider.script({ usage: { input: 1, output: 0 } });
    await post('/v1/messages', message({ model: 'small' }));
    expect((await post('/v1/messages', message({ model: 'small' }))).status).toBe(402);
  });

  it('is never exceeded by more than one call, whatever the prices, the usage and the order (100 scripts)', async () => {
    const tokens = (most: number) => fc.integer({ min: 0, max: most });
    const script = fc.record({
      budget: fc.integer({ min: 1, max: 2_000 }),
      input: fc.integer({ min: 0, max: 5 }),
      output: fc.integer({ min: 0, max: 9 }),
      calls: fc.array(
        fc.record({
          input: tokens(60),
          output: tokens(40),
          cacheWrite: tokens(20),
          cacheRead: tokens(20),
          delayMs: fc.integer({ min: 0, max: 2 }),
          fails: fc.constantFrom(null, null, null, 'status' as const, 'break' as const),
          stream: fc.boolean(),
          together: fc.integer({ min: 1, max: 5 }),
        }),
        { minLength: 1, maxLength: 12 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(script, async ({ budget, input, output, calls }) => {
        const price = {
          input: input * 1e6,
          output: output * 1e6,
          cacheWrite: input * 1.25e6,
          cacheRead: input * 1e5,
        };
        const { post, provider, gateway, usages, limits, close } = await createGatewayWorld({
          limits: { maxTurns: 500, maxBudgetUsd: budget },
          prices: { main: price, small: price },
        });
        try {
          provider.script(
            ...calls.map(
              ({ fails, delayMs, ...usage }): ScriptedAnswer => ({
                usage,
                delayMs,
                ...(fails === 'status' ? { status: 400 } : {}),
                ...(fails === 'break' ? { breakAfter: 4 } : {}),
              }),
            ),
          );
          for (let next = 0; next < calls.length; ) {
            const batch = calls.slice(next, next + (calls[next]?.together ?? 1));
            next += batch.length;
            await Promise.all(
              batch.map(async ({ stream }) => {
                // Within what the request allows: 40 tokens out, and no more in than it has bytes.
                const answer = await post('/v1/messages', message({ stream, max_tokens: 40 })).catch(
                  () => null,
                );
                await answer?.text().catch(() => '');
              }),
            );
          }
          const { costUsd } = gateway.usage();
          const dearest = Math.max(0, ...usages.map((usage) => usage.costUsd));
          expect(costUsd - budget).toBeLessThanOrEqual(dearest + 1e-9);
          expect(limits.length).toBeLessThanOrEqual(1);
        } finally {
          await close();
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('the turn limit', () => {
  it('lets exactly so many calls of the main model through, also side by side (O3)', async () => {
    const { post, provider, limits, gateway } = await open({ limits: { maxTurns: 3, maxBudgetUsd: null } });
    const statuses = await Promise.all(
      [1, 2, 3, 4, 5].map(async () => (await post('/v1/messages', message())).status),
    );
    expect(statuses.sort()).toEqual([200, 200, 200, 402, 402]);
    expect((await post('/v1/messages', message({ model: 'small' }))).status).toBe(200);
    const answer = await post('/v1/messages', message());
    expect(await answer.json()).toMatchObject({
      error: { message: expect.stringContaining('turn limit of this task is reached: 3 of 3') },
    });
    expect(provider.requests).toHaveLength(4);
    expect(limits).toEqual(['turn_limit']);
    expect(gateway.usage().turns).toBe(3);
  });

  it('does not count a call that the provider refused', async () => {
    const { post, provider, limits } = await open({ limits: { maxTurns: 1, maxBudgetUsd: null } });
    provider.script({ status: 400 });
    expect((await post('/v1/messages', message())).status).toBe(400);
    expect((await post('/v1/messages', message())).status).toBe(200);
    expect(limits).toEqual([]);
  });
});

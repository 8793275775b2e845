import type { DurableContext } from '@aws/durable-execution-sdk-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DurableRuntime } from '../../src/runtime/runtime.ts';

/** What AWS's local runner lacks, so that there is nothing to compare with: identity, stopping, closed callbacks, limits. */
export function runtimePortContract(open: () => Promise<DurableRuntime>): void {
  describe('a durable runtime', () => {
    let runtime: DurableRuntime;
    beforeEach(async () => {
      runtime = await open();
    });
    afterEach(() => runtime.close());

    /** Registers a workflow that waits for a callback, and starts it; resolves with the callback's id. */
    function parked(id: string, config: { timeout?: { seconds: number } } = {}): Promise<string> {
      return new Promise((resolve, reject) => {
        runtime.register(`parked ${id}`, async (_, ctx: DurableContext) =>
          ctx.waitForCallback('answer', async (callbackId) => resolve(callbackId), config),
        );
        runtime.start(`parked ${id}`, {}, { id }).catch(reject);
      });
    }

    describe('starting', () => {
      beforeEach(() => runtime.register('echo', async (input) => input));

      it('gives the same execution for the same id and input, while it runs and after', async () => {
        const [first, second] = await Promise.all(
          [1, 2].map(() => runtime.start('echo', { a: 1, b: [2] }, { id: 'one' })),
        );
        expect(second).toEqual(first);
        expect(await runtime.result('one')).toEqual({ a: 1, b: [2] });
        expect(await runtime.start('echo', { b: [2], a: 1 }, { id: 'one' })).toMatchObject({
          id: 'one',
          status: 'SUCCEEDED',
        });
        expect(
          (await runtime.history('one')).filter(({ EventType }) => EventType === 'ExecutionStarted'),
        ).toHaveLength(1);
      });

      it('refuses the same id with another input or another handler', async () => {
        runtime.register('other', async () => 1);
        await runtime.start('echo', { a: 1 }, { id: 'one' });
        const refused = { code: 'EXECUTION_ALREADY_STARTED' };
        await expect(runtime.start('echo', { a: 2 }, { id: 'one' })).rejects.toMatchObject(refused);
        await expect(runtime.start('other', { a: 1 }, { id: 'one' })).rejects.toMatchObject(refused);
        await runtime.result('one');
        await expect(runtime.start('echo', { a: 2 }, { id: 'one' })).rejects.toMatchObject(refused);
      });

      it('refuses handlers that are not registered, and malformed ids', async () => {
        await expect(runtime.start('nobody', {}, { id: 'one' })).rejects.toMatchObject({
          code: 'HANDLER_NOT_REGISTERED',
        });
        for (const id of ['', 'two words', 'a#b', 'é', 'x'.repeat(257)]) {
          await expect(runtime.start('echo', {}, { id })).rejects.toMatchObject({
            code: 'VALIDATION_ERROR',
            field: 'id',
          });
        }
      });

      it('refuses an input that is too large', async () => {
        const input = 'x'.repeat(1024 * 1024);
        await expect(runtime.start('echo', input, { id: 'one' })).rejects.toMatchObject({
          code: 'PAYLOAD_TOO_LARGE',
          field: 'input',
        });
        await expect(runtime.describe('one')).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
      });
    });

    describe('looking', () => {
      it('describes an execution while it runs and when it has ended', async () => {
        const callbackId = await parked('one');
        expect(await runtime.describe('one')).toMatchObject({
          id: 'one',
          name: 'parked one',
          status: 'RUNNING',
          input: {},
          result: null,
          error: null,
          endedAt: null,
        });
        await runtime.completeCallback(callbackId, 'yes');
        await runtime.result('one');
        const { startedAt, endedAt, ...ended } = await runtime.describe('one');
        expect(ended).toMatchObject({ status: 'SUCCEEDED', result: 'yes' });
        expect(Date.parse(endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(startedAt));
      });

      it('knows no execution that was never started', async () => {
        const unknown = { code: 'EXECUTION_NOT_FOUND' };
        await expect(runtime.describe('nobody')).rejects.toMatchObject(unknown);
        await expect(runtime.result('nobody')).rejects.toMatchObject(unknown);
        await expect(runtime.history('nobody')).rejects.toMatchObject(unknown);
        await expect(runtime.stop('nobody')).rejects.toMatchObject(unknown);
      });

      it('throws what the handler threw', async () => {
        runtime.register('bad', async () => {
          throw Object.assign(new Error('no way'), { name: 'Trouble' });
        });
        await runtime.start('bad', {}, { id: 'one' });
        await expect(runtime.result('one')).rejects.toMatchObject({ name: 'Trouble', message: 'no way' });
        expect(await runtime.describe('one')).toMatchObject({
          status: 'FAILED',
          error: { type: 'Trouble', message: 'no way' },
        });
      });

      it('numbers the events of a history from 1 without gaps', async () => {
        runtime.register('steps', async (_, ctx) => [
          await ctx.step('a', async () => 1),
          await ctx.step('b', async () => 2),
        ]);
        await runtime.start('steps', {}, { id: 'one' });
        await runtime.result('one');
        const events = await runtime.history('one');
        expect(events.map(({ EventId }) => EventId)).toEqual(events.map((_, index) => index + 1));
        expect(events.every(({ EventTimestamp }) => EventTimestamp instanceof Date)).toBe(true);
      });
    });

    describe('a callback', () => {
      it('is closed once it is completed', async () => {
        const callbackId = await parked('one');
        await runtime.completeCallback(callbackId, 'first');
        const closed = { code: 'CALLBACK_CLOSED' };
        await expect(runtime.completeCallback(callbackId, 'second')).rejects.toMatchObject(closed);
        await expect(runtime.failCallback(callbackId, new Error('late'))).rejects.toMatchObject(closed);
        await expect(runtime.heartbeatCallback(callbackId)).rejects.toMatchObject(closed);
        expect(await runtime.result('one')).toBe('first');
        await expect(runtime.completeCallback(callbackId)).rejects.toMatchObject(closed);
      });

      it('is completed by one of many who try at once', async () => {
        const callbackId = await parked('one');
        const tries = await Promise.allSettled(
          ['a', 'b', 'c'].map((value) => runtime.completeCallback(callbackId, value)),
        );
        expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
        expect(await runtime.result('one')).toBe('a');
      });

      it('is closed when it has timed out', async () => {
        const callbackId = await parked('one', { timeout: { seconds: 1 } });
        await expect(runtime.result('one')).rejects.toMatchObject({ name: 'CallbackTimeoutError' });
        await expect(runtime.completeCallback(callbackId)).rejects.toMatchObject({ code: 'CALLBACK_CLOSED' });
      });

      it('takes a string as it is, anything else as JSON, and errors of any kind', async () => {
        await runtime.completeCallback(await parked('json'), { pr: 1 });
        expect(await runtime.result('json')).toBe('{"pr":1}');
        await runtime.failCallback(await parked('error'), Object.assign(new Error('gone'), { name: 'Lost' }));
        await expect(runtime.result('error')).rejects.toMatchObject({
          name: 'CallbackExternalError',
          message: 'gone',
        });
        await runtime.failCallback(await parked('text'), 'just words');
        await expect(runtime.result('text')).rejects.toMatchObject({ message: 'just words' });
      });

      it('refuses a payload that is too large and stays open', async () => {
        const callbackId = await parked('one');
        const tooLarge = { code: 'PAYLOAD_TOO_LARGE' };
        await expect(runtime.completeCallback(callbackId, 'x'.repeat(256 * 1024 + 1))).rejects.toMatchObject(
          tooLarge,
        );
        await expect(runtime.failCallback(callbackId, 'x'.repeat(32 * 1024))).rejects.toMatchObject(tooLarge);
        await runtime.completeCallback(callbackId, 'x'.repeat(256 * 1024));
        expect(await runtime.result('one')).toHaveLength(256 * 1024);
      });

      it('is known by its whole id only', async () => {
        const callbackId = await parked('one');
        const forged = Buffer.from(JSON.stringify(['one', 'c4ca4238a0b92382', 'guess'])).toString(
          'base64url',
        );
        for (const id of [
          '',
          'nonsense',
          callbackId.slice(0, -2),
          forged,
          Buffer.from('[1,2]').toString('base64url'),
        ]) {
          await expect(runtime.completeCallback(id)).rejects.toMatchObject({ code: 'CALLBACK_NOT_FOUND' });
        }
      });
    });

    describe('stopping', () => {
      it('ends a parked execution and closes its callbacks', async () => {
        const callbackId = await parked('one');
        const result = runtime.result('one');
        await Promise.all([
          runtime.stop('one'),
          expect(result).rejects.toMatchObject({ code: 'EXECUTION_STOPPED' }),
        ]);
        expect(await runtime.describe('one')).toMatchObject({ status: 'STOPPED' });
        await expect(runtime.completeCallback(callbackId)).rejects.toMatchObject({ code: 'CALLBACK_CLOSED' });
        expect((await runtime.history('one')).at(-1)?.EventType).toBe('ExecutionStopped');
      });

      it('refuses what the running invocation still wants to save', async () => {
        let release: () => void = () => undefined;
        const running = new Promise<void>((resolve) => {
          runtime.register('busy', async (_, ctx: DurableContext) => {
            await ctx.step(
              'long',
              () =>
                new Promise<void>((done) => {
                  release = done;
                  resolve();
                }),
            );
            await ctx.step('never', async () => {
              throw new Error('was reached');
            });
          });
        });
        await runtime.start('busy', {}, { id: 'one' });
        await running;
        await runtime.stop('one');
        release();
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(await runtime.describe('one')).toMatchObject({ status: 'STOPPED' });
        expect((await runtime.history('one')).map(({ Name }) => Name)).not.toContain('never');
      });

      it('leaves alone what has ended', async () => {
        runtime.register('quick', async () => 1);
        await runtime.start('quick', {}, { id: 'one' });
        await runtime.result('one');
        await runtime.stop('one');
        expect(await runtime.describe('one')).toMatchObject({ status: 'SUCCEEDED' });
      });
    });

    describe('invoking other handlers', () => {
      const outcomeOf = async (name: string): Promise<unknown> => {
        runtime.register('caller', async (_, ctx: DurableContext) => {
          try {
            return await ctx.invoke('call', name, 1);
          } catch (error) {
            return error instanceof Error ? [error.name, error.message] : error;
          }
        });
        await runtime.start('caller', {}, { id: 'caller' });
        return runtime.result('caller');
      };

      it('goes as deep as they do', async () => {
        runtime.register('inner', async (n: number, ctx) => ctx.step(async () => n + 1));
        runtime.register(
          'middle',
          async (n: number, ctx) => 10 * (await ctx.invoke<number, number>('inner', n)),
        );
        expect(await outcomeOf('middle')).toBe(20);
      });

      it('takes names with a qualifier, and ARNs', async () => {
        runtime.register('inner', async (n: number) => n + 1);
        expect(await outcomeOf('arn:aws:lambda:us-east-1:123456789012:function:inner:$LATEST')).toBe(2);
      });

      it('fails when there is no such handler', async () => {
        expect(await outcomeOf('nobody')).toEqual(['InvokeError', expect.stringContaining('"nobody"')]);
      });

      it('tells in the history what was invoked, and as which execution', async () => {
        runtime.register('inner', async () => 7);
        await outcomeOf('inner');
        const { ChainedInvokeStartedDetails: details } =
          (await runtime.history('caller')).find(({ EventType }) => EventType === 'ChainedInvokeStarted') ??
          {};
        expect(details).toMatchObject({ FunctionName: 'inner', Input: { Payload: '1' } });
        expect(await runtime.describe(details?.DurableExecutionArn ?? '')).toMatchObject({
          name: 'inner',
          status: 'SUCCEEDED',
          result: 7,
        });
      });

      it('fails when what was invoked takes too long', async () => {
        runtime.register('slow', async (_, ctx) => ctx.wait({ hours: 1 }), { timeoutSeconds: 1 });
        expect(await outcomeOf('slow')).toEqual(['InvokeError', expect.stringContaining('took longer')]);
        expect((await runtime.history('caller')).map(({ EventType }) => EventType)).toContain(
          'ChainedInvokeTimedOut',
        );
      });

      it('fails when what was invoked is stopped', async () => {
        const started = new Promise<void>((resolve) => {
          runtime.register('stopped', async (_, ctx: DurableContext) => {
            await ctx.step('here', async () => resolve());
            await ctx.wait({ hours: 1 });
          });
        });
        const outcome = outcomeOf('stopped');
        await started;
        const arn = (await runtime.history('caller')).find(
          ({ EventType }) => EventType === 'ChainedInvokeStarted',
        )?.ChainedInvokeStartedDetails?.DurableExecutionArn;
        await runtime.stop(arn ?? '');
        expect(await outcome).toEqual(['InvokeError', expect.any(String)]);
        expect((await runtime.history('caller')).map(({ EventType }) => EventType)).toContain(
          'ChainedInvokeStopped',
        );
      });
    });

    it('ends an execution that takes longer than its handler may, even in the middle of a step', async () => {
      runtime.register('endless', async (_, ctx) => ctx.step('hang', () => new Promise(() => undefined)), {
        timeoutSeconds: 1,
      });
      await runtime.start('endless', {}, { id: 'one' });
      await expect(runtime.result('one')).rejects.toMatchObject({ code: 'EXECUTION_TIMED_OUT' });
      expect(await runtime.describe('one')).toMatchObject({ status: 'TIMED_OUT' });
    });

    describe('limits', () => {
      it('fails an execution with a step whose result is too large', async () => {
        runtime.register('large', async (_, ctx) => ctx.step('big', async () => 'x'.repeat(256 * 1024)));
        await runtime.start('large', {}, { id: 'one' });
        await expect(runtime.result('one')).rejects.toMatchObject({
          code: 'PAYLOAD_TOO_LARGE',
          message: expect.stringContaining('big'),
        });
      });

      it('fails an execution with more than 3,000 operations', async () => {
        runtime.register('many', async (_, ctx) =>
          ctx.map(
            'all',
            Array.from({ length: 1_600 }, (_item, n) => n),
            async (c, n) => c.step(async () => n),
          ),
        );
        await runtime.start('many', {}, { id: 'one' });
        await expect(runtime.result('one')).rejects.toMatchObject({
          code: 'HISTORY_LIMIT_EXCEEDED',
          message: expect.stringContaining('3000'),
        });
        expect(await runtime.describe('one')).toMatchObject({
          status: 'FAILED',
          error: { type: 'HISTORY_LIMIT_EXCEEDED' },
        });
      });
    });

    it('takes nothing more when it is closed', async () => {
      runtime.register('echo', async (input) => input);
      await parked('one');
      const waiting = runtime.result('one');
      await Promise.all([
        runtime.close(),
        expect(waiting).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' }),
      ]);
      await expect(runtime.start('echo', {}, { id: 'two' })).rejects.toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
      });
    });
  });
}

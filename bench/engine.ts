import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DurableContext,
  type DurableExecutionClient,
  type Operation,
  withDurableExecution,
} from '@aws/durable-execution-sdk-js';
import { createSqliteRuntime } from '../src/runtime/sqlite/runtime.ts';
import { type Bench, type Figure, percentile, round } from './figure.ts';

/** The SDK's pause before it suspends an invocation that waits. */
const SDK_PAUSE_MS = 20;
const IN_FLIGHT = 256;
const EXECUTIONS = 4_000;
const WARM_UP = 500;
const ROUNDS = 5;

/** Runs one execution of the workflow and checks its result. */
type RunOne = (id: string) => Promise<void>;

interface Engine {
  run: RunOne;
  close(): Promise<void>;
}

/** The same workflow on every engine: three steps, a callback that is completed from outside, two steps. */
const workflow =
  (complete: (callbackId: string) => void) => async (input: { n: number }, ctx: DurableContext) => {
    const admitted = await ctx.step('admit', async () => ({ n: input.n }));
    await ctx.step('preflight', async () => ({ ok: true }));
    await ctx.step('hydrate', async () => ({ prompt: 'x'.repeat(500) }));
    const outcome = await ctx.waitForCallback('session', async (id) => complete(id), {
      timeout: { hours: 1 },
    });
    await ctx.step('verify', async () => ({ outcome }));
    return ctx.step('finalize', async () => admitted.n);
  };

async function createOurs(folder: string): Promise<Engine> {
  const runtime = await createSqliteRuntime({ file: join(folder, 'engine.db') });
  const complete = (id: string): void => void setImmediate(() => void runtime.completeCallback(id, 'done'));
  runtime.register('bench', workflow(complete));
  return {
    async run(id) {
      await runtime.start('bench', { n: id.length }, { id });
      if ((await runtime.result(id)) !== id.length) throw new Error('wrong result');
    },
    close: () => runtime.close(),
  };
}

/** The SDK's own ceiling: a client that keeps a map in memory and nothing else. */
function createCeiling(): Engine {
  const executions = new Map<string, Map<string, Operation>>();
  const waiting = new Map<string, () => void>();
  const callbacks = new Map<string, [execution: string, operation: string]>();
  let token = 0;
  const client: DurableExecutionClient = {
    async getExecutionState({ DurableExecutionArn }) {
      return { Operations: [...(executions.get(DurableExecutionArn ?? '')?.values() ?? [])] };
    },
    async checkpoint({ DurableExecutionArn: arn = '', Updates = [] }) {
      const operations = executions.get(arn) ?? new Map<string, Operation>();
      const Operations = Updates.map((update) => {
        const { Id: id = '', Type, Action, Payload } = update;
        const before = operations.get(id);
        const operation: Operation = {
          ...(before ?? {
            Id: id,
            ParentId: update.ParentId,
            Name: update.Name,
            Type,
            SubType: update.SubType,
            StartTimestamp: new Date(),
          }),
          Status: Action === 'START' ? 'STARTED' : 'SUCCEEDED',
        } as Operation;
        if (Action !== 'START') operation.EndTimestamp = new Date();
        if (Type === 'STEP') operation.StepDetails = { Attempt: 1, Result: Payload };
        else if (Type === 'CONTEXT') operation.ContextDetails = { Result: Payload };
        else if (Type === 'CALLBACK') {
          operation.CallbackDetails = { CallbackId: `${arn}/${id}` };
          callbacks.set(`${arn}/${id}`, [arn, id]);
        }
        operations.set(id, operation);
        return operation;
      });
      return { CheckpointToken: String(++token), NewExecutionState: { Operations } };
    },
  };
  function complete(callbackId: string): void {
    setImmediate(() => {
      const [arn, id] = callbacks.get(callbackId) ?? ['', ''];
      callbacks.delete(callbackId);
      const operations = executions.get(arn);
      const operation = operations?.get(id);
      if (operation) {
        operations?.set(id, {
          ...operation,
          Status: 'SUCCEEDED',
          EndTimestamp: new Date(),
          CallbackDetails: { CallbackId: callbackId, Result: 'done' },
        });
      }
      waiting.get(arn)?.();
    });
  }
  const handler = withDurableExecution(workflow(complete), { durableExecutionClient: client });
  return {
    async run(id) {
      const itself: Operation = {
        Id: 'execution',
        Type: 'EXECUTION',
        Status: 'STARTED',
        StartTimestamp: new Date(),
        ExecutionDetails: { InputPayload: JSON.stringify({ n: id.length }) },
      };
      executions.set(id, new Map([['execution', itself]]));
      for (;;) {
        const woken = new Promise<void>((resolve) => waiting.set(id, resolve));
        const Operations = [...(executions.get(id)?.values() ?? [])];
        const event = {
          DurableExecutionArn: id,
          CheckpointToken: String(++token),
          InitialExecutionState: { Operations },
        };
        const output = await handler(event, { awsRequestId: id, getRemainingTimeInMillis: () => Infinity });
        if (output.Status === 'PENDING') {
          await woken;
          continue;
        }
        if (output.Status !== 'SUCCEEDED' || output.Result !== String(id.length))
          throw new Error('wrong result');
        executions.delete(id);
        waiting.delete(id);
        return;
      }
    },
    close: async () => undefined,
  };
}

let lastId = 0;

/** Milliseconds of each execution, and the executions a second. */
async function measure(
  engine: Engine,
  executions: number,
  inFlight: number,
): Promise<{ samples: number[]; perSecond: number }> {
  const samples: number[] = [];
  let left = executions;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: Math.min(inFlight, executions) }, async () => {
      while (left-- > 0) {
        const start = performance.now();
        await engine.run(`execution-${++lastId}`);
        samples.push(performance.now() - start);
      }
    }),
  );
  return { samples, perSecond: executions / ((performance.now() - began) / 1_000) };
}

/** Both engines take turns, so that both meet the same machine; the ratio is the median of those of single turns. */
async function throughput(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bgagent-bench-'));
  const ours = await createOurs(folder);
  const ceiling = createCeiling();
  try {
    const rates = { ours: [] as number[], ceiling: [] as number[] };
    await measure(ceiling, WARM_UP, IN_FLIGHT);
    await measure(ours, WARM_UP, IN_FLIGHT);
    for (let turn = 0; turn < ROUNDS; turn++) {
      rates.ceiling.push((await measure(ceiling, EXECUTIONS, IN_FLIGHT)).perSecond);
      rates.ours.push((await measure(ours, EXECUTIONS, IN_FLIGHT)).perSecond);
    }
    const ratios = rates.ours.map((rate, turn) => rate / (rates.ceiling[turn] ?? Number.NaN));
    process.stderr.write(
      `engine_throughput: ${EXECUTIONS} executions a turn, ${IN_FLIGHT} in flight; ours ${list(rates.ours)}/s, the SDK with a map in memory ${list(rates.ceiling)}/s\n`,
    );
    return [
      {
        name: 'engine_throughput',
        value: Math.round(percentile(rates.ours, 50)),
        unit: '1/s',
        p50: null,
        p99: null,
        n: EXECUTIONS * ROUNDS,
        ratio_to: `SDK with a map in memory (${Math.round(percentile(rates.ceiling, 50))}/s)`,
        ratio: percentile(ratios, 50),
      },
    ];
  } finally {
    await ours.close();
    rmSync(folder, { recursive: true });
  }
}

const list = (rates: readonly number[]): string => rates.map((rate) => Math.round(rate)).join(', ');

/** One at a time, beside the SDK alone, its pause, and one flush of the disk. */
async function latency(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bgagent-bench-'));
  const ours = await createOurs(folder);
  const ceiling = createCeiling();
  try {
    await measure(ceiling, 20, 1);
    await measure(ours, 20, 1);
    const alone = percentile((await measure(ceiling, 100, 1)).samples, 50);
    const flushes = fsyncs(folder, 200);
    const flush = percentile(flushes, 50);
    const { samples } = await measure(ours, 100, 1);
    const p50 = percentile(samples, 50);
    const added = p50 - alone;
    process.stderr.write(
      `engine_latency_ms: SDK's pause ${SDK_PAUSE_MS} ms, SDK alone ${alone} ms, one fsync ${flush} ms; ours adds ${round(added)} ms = ${round(added - 6 * flush)} ms + 6 fsyncs\n`,
    );
    const figure = { unit: 'ms', ratio_to: null, ratio: null };
    return [
      {
        ...figure,
        name: 'engine_latency_ms',
        value: p50,
        p50,
        p99: percentile(samples, 99),
        n: samples.length,
        ratio_to: 'SDK with a map in memory',
        ratio: round(p50 / alone),
      },
      { ...figure, name: 'engine_latency_sdk_alone_ms', value: alone, p50: alone, p99: null, n: 100 },
      { ...figure, name: 'engine_latency_sdk_pause_ms', value: SDK_PAUSE_MS, p50: null, p99: null, n: 1 },
      {
        ...figure,
        name: 'fsync_ms',
        value: flush,
        p50: flush,
        p99: percentile(flushes, 99),
        n: flushes.length,
      },
    ];
  } finally {
    await ours.close();
    rmSync(folder, { recursive: true });
  }
}

/** Milliseconds of flushing one page, as the database's log does. */
function fsyncs(folder: string, times: number): number[] {
  const file = openSync(join(folder, 'fsync'), 'w');
  const page = Buffer.alloc(4_096, 1);
  try {
    return Array.from({ length: times }, () => {
      writeSync(file, page);
      const start = performance.now();
      fdatasyncSync(file);
      return performance.now() - start;
    });
  } finally {
    closeSync(file);
  }
}

export const benches: readonly Bench[] = [
  { name: 'engine_throughput', run: throughput },
  { name: 'engine_latency_ms', run: latency },
];

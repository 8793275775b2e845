import { isDeepStrictEqual } from 'node:util';
import type { Event } from '@aws-sdk/client-lambda';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DurableRuntime } from '../../src/runtime/runtime.ts';
import { runOnReference } from './runtime.reference.ts';
import { type Signal, type Workflow, workflows } from './runtime.workflows.ts';

/** How a workflow ended, and all that happened. */
export interface Ran {
  status: string;
  result: unknown;
  error: { type: string; message: string } | null;
  events: Event[];
}

/**
 * Runs every workflow on AWS's local runner and on a runtime, all workflows side by side in real time (waits
 * take a second or two), and expects the same results and histories, but for times, ids and tokens.
 */
export function runtimeContract(open: () => Promise<DurableRuntime>): void {
  describe('a durable runtime', () => {
    let expected: Ran[];
    let actual: Ran[];
    beforeAll(async () => {
      expected = await runOnReference(workflows);
      actual = await runOn(open, workflows);
      // On a busy machine, things that happen at the same time happen in any order: those get another run, alone.
      for (const [index, workflow] of workflows.entries()) {
        for (let again = 0; again < 2 && !isAlike(actual[index], expected[index]); again++) {
          expected.splice(index, 1, ...(await runOnReference([workflow])));
          actual.splice(index, 1, ...(await runOn(open, [workflow])));
        }
      }
    }, 120_000);

    describe.each(workflows.map(({ name }, index) => ({ name, index })))(
      'runs as the service does: $name',
      ({ index }) => {
        it('with the same outcome', () => {
          const { status, result, error } = expected[index] as Ran;
          expect(withoutEvents(actual[index] as Ran)).toEqual({ status, result: result ?? null, error });
        });
        it('with the same history', () => {
          expect(comparable((actual[index] as Ran).events)).toEqual(
            comparable((expected[index] as Ran).events),
          );
        });
      },
    );
  });
}

const isAlike = (a: Ran | undefined, b: Ran | undefined): boolean =>
  isDeepStrictEqual(comparable(a?.events ?? []), comparable(b?.events ?? []));

const withoutEvents = ({ status, result, error }: Ran) => ({ status, result: result ?? null, error });

/** Execution ids are used once. */
let runs = 0;

async function runOn(open: () => Promise<DurableRuntime>, all: readonly Workflow[]): Promise<Ran[]> {
  const runtime = await open();
  try {
    for (const { name, handler, children = {} } of all) {
      runtime.register(name, handler);
      for (const [childName, child] of Object.entries(children)) runtime.register(childName, child);
    }
    return await Promise.all(all.map((workflow) => runOne(runtime, workflow, `run-${++runs}`)));
  } finally {
    await runtime.close();
  }
}

async function runOne(
  runtime: DurableRuntime,
  { name, input, outside = [] }: Workflow,
  id: string,
): Promise<Ran> {
  await runtime.start(name, input, { id });
  const [outcome] = await Promise.allSettled([runtime.result(id), signal(runtime, id, outside)]);
  const { status, error } = await runtime.describe(id);
  return {
    status,
    result: outcome.status === 'fulfilled' ? outcome.value : null,
    error,
    events: await runtime.history(id),
  };
}

async function signal(runtime: DurableRuntime, id: string, signals: readonly Signal[]): Promise<void> {
  for (const { callback, complete, fail, heartbeat, afterMs = 200 } of signals) {
    const callbackId = await callbackOf(runtime, id, callback);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    if (heartbeat) await runtime.heartbeatCallback(callbackId);
    else if (fail) await runtime.failCallback(callbackId, fail);
    else await runtime.completeCallback(callbackId, complete);
  }
}

/** The id of a callback of this name, or of the callback in a context of this name, once it's there (and submitted). */
async function callbackOf(runtime: DurableRuntime, id: string, name: string): Promise<string> {
  for (;;) {
    const events = await runtime.history(id);
    const context = events.find(({ EventType, Name }) => EventType === 'ContextStarted' && Name === name)?.Id;
    const started = events.find(
      ({ EventType, Name, ParentId }) =>
        EventType === 'CallbackStarted' && (context ? ParentId === context : Name === name),
    );
    const isSubmitted =
      !context ||
      events.some(({ EventType, ParentId }) => EventType === 'StepSucceeded' && ParentId === context);
    const callbackId = started?.CallbackStartedDetails?.CallbackId;
    if (callbackId && isSubmitted) return callbackId;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Without times, ids that are made up anew each time, and tokens. */
function comparable(events: readonly Event[]): unknown[] {
  const execution = events[0]?.Id;
  return events.map(({ EventTimestamp: _, ...event }) =>
    JSON.parse(
      JSON.stringify(event, (key, value) => {
        if (key === 'Id' && value === execution) return 'the execution';
        if (key === 'CallbackId') return 'a callback';
        if (key === 'RequestId') return 'an invocation';
        if (/Timestamp$/.test(key)) return 'a time';
        // The reference leaves these empty, and has an input for callbacks that the service's events don't have.
        if (key === 'ChainedInvokeStartedDetails') return {};
        if (key === 'CallbackStartedDetails') return { ...value, Input: undefined };
        return value;
      }),
    ),
  );
}

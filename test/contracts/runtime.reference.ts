import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { LocalDurableTestRunner, WaitingOperationStatus } from '@aws/durable-execution-sdk-js-testing';
import type { Event } from '@aws-sdk/client-lambda';
import type { Ran } from './runtime.contract.ts';
import type { Signal, Workflow } from './runtime.workflows.ts';

/** Runs workflows on AWS's local runner, in real time: what it does is what every runtime is compared with. */
export async function runOnReference(workflows: readonly Workflow[]): Promise<Ran[]> {
  await LocalDurableTestRunner.setupTestEnvironment({ skipTime: false });
  try {
    return await Promise.all(workflows.map(runOne));
  } finally {
    await LocalDurableTestRunner.teardownTestEnvironment();
  }
}

async function runOne({ handler, children = {}, input, outside = [] }: Workflow): Promise<Ran> {
  const runner = new LocalDurableTestRunner({ handlerFunction: withDurableExecution(handler) });
  for (const [name, child] of Object.entries(children))
    runner.registerDurableFunction(name, withDurableExecution(child));
  const signalled = signal(runner, outside);
  const run = await runner.run(input === undefined ? {} : { payload: input });
  await signalled;
  const events = run.getHistoryEvents() as Event[];
  if (run.getStatus() === 'SUCCEEDED')
    return { status: 'SUCCEEDED', result: run.getResult(), error: null, events };
  const { errorType, errorMessage } = run.getError();
  return {
    status: String(run.getStatus()),
    result: null,
    error: { type: errorType ?? 'Error', message: errorMessage ?? '' },
    events,
  };
}

async function signal(runner: LocalDurableTestRunner<unknown>, signals: readonly Signal[]): Promise<void> {
  // Waited for from the start: the runner doesn't tell later of what has been submitted before.
  const waiting = signals.map(({ callback }) => submitted(runner, callback));
  for (const [index, { complete, fail, heartbeat, afterMs = 200 }] of signals.entries()) {
    const operation = await waiting[index];
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    if (heartbeat) await operation?.sendCallbackHeartbeat();
    else if (fail) await operation?.sendCallbackFailure(fail);
    else await operation?.sendCallbackSuccess(complete);
  }
}

async function submitted(runner: LocalDurableTestRunner<unknown>, name: string) {
  const operation = runner.getOperation(name);
  await operation.waitForData(WaitingOperationStatus.STARTED);
  if (operation.getType() === 'CONTEXT') await operation.waitForData(WaitingOperationStatus.SUBMITTED);
  return operation;
}

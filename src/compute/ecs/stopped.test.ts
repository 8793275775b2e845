import type { Task } from '@aws-sdk/client-ecs';
import { describe, expect, it } from 'vitest';
import { sessionState } from './stopped.ts';

/** Codes that the SDK doesn't know yet come as they are. */
type Fields = Omit<Partial<Task>, 'stopCode'> & { stopCode?: string };

const task = (lastStatus: string, fields: Fields = {}, container = {}): Task => ({
  lastStatus,
  containers: [
    { name: 'sidecar', lastStatus: 'STOPPED', exitCode: 9 },
    { name: 'runner', lastStatus, ...container },
  ],
  ...(fields as Partial<Task>),
});

describe('the state of a session on ECS', () => {
  it.each(['PROVISIONING', 'PENDING', 'ACTIVATING', 'RUNNING', 'STOPPING', 'DEACTIVATING', 'DEPROVISIONING'])(
    'is running while its task is %s',
    (status) => {
      expect(sessionState(task(status, {}, { lastStatus: 'RUNNING' }), 'runner')).toEqual({
        state: { kind: 'running' },
      });
    },
  );

  it('is exited as soon as its container has stopped, while the task is still being taken down', () => {
    const stopping = task('DEPROVISIONING', {}, { lastStatus: 'STOPPED', exitCode: 0 });
    expect(sessionState(stopping, 'runner').state).toMatchObject({ kind: 'exited', exitCode: 0 });
  });

  it('is missing when ECS does not know the task', () => {
    expect(sessionState(undefined, 'runner')).toEqual({ state: { kind: 'missing' } });
  });

  it('is running, with a word for the log, in a status that is new', () => {
    expect(sessionState(task('HIBERNATING'), 'runner')).toEqual({
      state: { kind: 'running' },
      unknown: 'status HIBERNATING',
    });
  });

  it('is interrupted when its capacity was taken back, whatever the exit code', () => {
    expect(
      sessionState(task('STOPPED', { stopCode: 'SpotInterruption' }, { exitCode: 0 }), 'runner').state,
    ).toEqual({
      kind: 'interrupted',
      reason: 'Fargate Spot took its capacity back; exit code 0',
    });
  });

  it.each<[string, Fields, object, RegExp]>([
    ['its exit code', { stopCode: 'EssentialContainerExited' }, { exitCode: 3 }, /runner ended; exit code 3/],
    [
      'a kill',
      { stopCode: 'UserInitiated', stoppedReason: 'stopped by bgagent' },
      { exitCode: 137 },
      /StopTask; exit code 137: killed.*stopped by bgagent/,
    ],
    [
      'want of memory, and what to raise',
      { stopCode: 'EssentialContainerExited' },
      { exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' },
      /OutOfMemoryError.*raise the memory of the task definition/,
    ],
    [
      'an image that can not be pulled, and what to check',
      {
        stopCode: 'TaskFailedToStart',
        stoppedReason: 'CannotPullContainerError: pull image manifest has been retried 1 time(s)',
      },
      {},
      /could not be started; CannotPullContainerError.*check the image/,
    ],
    ['a code that is new', { stopCode: 'SolarFlare' }, {}, /^SolarFlare$/],
    ['nothing, when there is none', {}, {}, /^ECS gave no reason$/],
  ])('tells %s as the reason of its end', (_, fields, container, reason) => {
    const { state } = sessionState(task('STOPPED', fields, container), 'runner');
    expect(state.kind).toBe('exited');
    expect(state.kind === 'exited' && state.reason).toMatch(reason);
  });
});

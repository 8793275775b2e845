import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../test/source-tree.ts';
import { createSessionEventHandler, signalOf } from './session-events.ts';

/** As AWS documents them. */
const sample = (name: string): unknown =>
  JSON.parse(readFileSync(join(ROOT, `test/fixtures/aws-events/${name}.json`), 'utf8'));

const session = { kind: 'session', type: 'ecs', sessionId: '01ARZ3NDEKTSV4RRFFQ69G5FAV-1' };
const fleet = (what: string) => ({ kind: 'fleet', instanceId: 'i-1234567890abcdef0', what });

describe('an event of AWS', () => {
  it.each([
    ['ecs-running', undefined],
    // The runner is over, though its task is still being taken down.
    ['ecs-deprovisioning', session],
    ['ecs-stopped', session],
    ['ecs-spot', session],
    // Started by somebody else.
    ['ecs-service', undefined],
    ['autoscaling-launch', fleet('launching')],
    ['autoscaling-terminate', fleet('terminating')],
    ['spot-interruption', fleet('interruption')],
    ['rebalance', fleet('rebalance')],
    ['instance-state', fleet('state-changed')],
    ['ssm-success', fleet('command-ended')],
    ['ssm-in-progress', undefined],
    ['other', undefined],
  ])('%s means %j', (name, signal) => {
    expect(signalOf(sample(name))).toEqual(signal);
  });

  it.each([
    null,
    'text',
    {},
    { source: 'aws.ecs', 'detail-type': 'ECS Task State Change', detail: { lastStatus: 7 } },
    {
      source: 'evil',
      'detail-type': 'EC2 Spot Instance Interruption Warning',
      detail: { 'instance-id': 'i-1' },
    },
    {
      source: 'aws.ec2',
      'detail-type': 'EC2 Instance Rebalance Recommendation',
      detail: { 'instance-id': 7 },
    },
  ])('that is none means nothing: %j', (event) => {
    expect(signalOf(event)).toBeUndefined();
  });
});

describe('the handler', () => {
  function world({ fails = false } = {}) {
    const done: string[] = [];
    const handle = createSessionEventHandler({
      actions: {
        wake: async (taskId) => void done.push(`wake ${taskId}`),
        refresh: async ({ id }) => {
          done.push(`refresh ${id}`);
          if (fails) throw new Error('no answer');
        },
        lookAtFleet: async () => void done.push('fleet'),
      },
      log: { info: () => undefined, warn: () => void done.push('warned') },
    });
    return { done, handle };
  }

  it('learns how the session is, then wakes its task; twice is fine', async () => {
    const { done, handle } = world();
    await handle(sample('ecs-stopped'));
    await handle(sample('ecs-stopped'));
    const once = ['refresh 01ARZ3NDEKTSV4RRFFQ69G5FAV-1', 'wake 01ARZ3NDEKTSV4RRFFQ69G5FAV'];
    expect(done).toEqual([...once, ...once]);
  });

  it('wakes the task also when the session can not be looked at', async () => {
    const { done, handle } = world({ fails: true });
    await handle(sample('ecs-stopped'));
    expect(done).toEqual([
      'refresh 01ARZ3NDEKTSV4RRFFQ69G5FAV-1',
      'warned',
      'wake 01ARZ3NDEKTSV4RRFFQ69G5FAV',
    ]);
  });

  it('looks at the fleet, and does nothing about the rest', async () => {
    const { done, handle } = world();
    await handle(sample('spot-interruption'));
    expect(await handle(sample('other'))).toBeUndefined();
    expect(done).toEqual(['fleet']);
  });
});

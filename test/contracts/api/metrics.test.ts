import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';
import { endOf } from '../../fixtures/events.ts';
import { aTask } from '../../fixtures/task.ts';
import { createClock } from '../stores.contract.ts';

const clock = createClock();
let platform: TestPlatform;
let admin: string;
beforeEach(async () => {
  platform = await startTestPlatform({ now: clock.now });
  admin = await platform.key('root', ['admin']);
});
afterEach(() => platform.close());

async function metrics(key: string | undefined = admin): Promise<string> {
  const { status, text, headers } = await request(
    platform,
    'GET',
    '/metrics',
    key === undefined ? {} : { key },
  );
  expect([status, headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^text\/plain; version=/),
  ]);
  return text;
}

/** The lines that begin with this. */
const lines = (text: string, start: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(start));

async function anEnded(fields: Parameters<typeof aTask>[0]): Promise<void> {
  const { tasks } = platform.deps.stores;
  const created = {
    type: 'task_created',
    metadata: { workflow: 'w', agent: 'command', retry_of: null },
  } as const;
  const { task } = await tasks.create(
    aTask({ task_id: platform.deps.newId(), status: 'RUNNING', ...fields }),
    [created],
  );
  await tasks.transition(task.task_id, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
}

describe('metrics', () => {
  it('are for admins, in a form that Prometheus takes', async () => {
    const text = await metrics();
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^($|# (HELP|TYPE) |[a-z_]+(\{([a-z_]+="[^"\\]*",?)*\})? [0-9.e+-]+$)/);
    expect((await request(platform, 'GET', '/metrics', { key: await platform.key('user') })).status).toBe(
      403,
    );
    expect((await request(platform, 'GET', '/metrics')).status).toBe(401);
  });

  it('are for everyone when the setting says so', async () => {
    const open = await startTestPlatform({ settings: { metrics_public: true } });
    expect((await request(open, 'GET', '/metrics')).status).toBe(200);
    await open.close();
  });

  it('count tasks by status, and the wait of the oldest in the queue', async () => {
    const { tasks } = platform.deps.stores;
    const queued_at = new Date(clock.now() - 90_000).toISOString();
    for (const status of ['QUEUED', 'QUEUED', 'RUNNING'] as const)
      await tasks.create(aTask({ task_id: platform.deps.newId(), status, queued_at }), []);
    const text = await metrics();
    expect(lines(text, 'bgagent_tasks{')).toEqual(
      expect.arrayContaining(['bgagent_tasks{status="QUEUED"} 2', 'bgagent_tasks{status="RUNNING"} 1']),
    );
    expect(text).toContain('\nbgagent_queue_oldest_seconds 90\n');
  });

  it('count what ended, once, with its duration and cost', async () => {
    const started_at = new Date(clock.now() - 45_000).toISOString();
    await anEnded({ started_at, cost_usd: 0.25, channel_source: 'webhook' });
    await anEnded({ started_at, cost_usd: 0.5 });
    const together = await Promise.all([metrics(), metrics()]);
    await metrics();
    for (const text of [...together, await metrics()]) {
      expect(lines(text, 'bgagent_tasks_ended_total')).toEqual([
        'bgagent_tasks_ended_total{status="FAILED",agent="command",compute_type="local",error_code=""} 2',
      ]);
      expect(lines(text, 'bgagent_tasks_created_total').sort()).toEqual([
        'bgagent_tasks_created_total{channel="api"} 1',
        'bgagent_tasks_created_total{channel="webhook"} 1',
      ]);
      expect(text).toContain('bgagent_model_cost_usd_total{agent="command"} 0.75');
      expect(text).toContain('bgagent_task_duration_seconds_sum{status="FAILED"} 90');
      expect(text).toContain('bgagent_task_duration_seconds_bucket{le="60",status="FAILED"} 2');
    }
  });

  it('count requests by route, whatever ids and addresses they name', async () => {
    for (const path of ['/v1/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV', '/v1/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAW'])
      await request(platform, 'GET', path, { key: admin });
    for (const path of ['/nothing', '/wp-admin']) await request(platform, 'GET', path, { key: admin });
    await request(platform, 'GET', '/v1/tasks');
    const counted = lines(await metrics(), 'bgagent_api_request_duration_seconds_count');
    expect(counted).toEqual(
      expect.arrayContaining([
        expect.stringContaining('{method="GET",route="/v1/tasks/{task_id}",status="404"} 2'),
        expect.stringContaining('{method="GET",route="unknown",status="404"} 2'),
        expect.stringContaining('{method="GET",route="/v1/tasks",status="401"} 1'),
      ]),
    );
    expect(counted).toHaveLength(3);
  });

  it('count what reconcilers changed', async () => {
    platform.deps.metrics.reconciled('slots', 2);
    platform.deps.metrics.reconciled('slots', 1);
    expect(await metrics()).toContain('bgagent_reconciler_changes_total{reconciler="slots"} 3');
  });
});

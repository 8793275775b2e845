import { createRoute, z } from '@hono/zod-openapi';
import { diffKey, logKey } from '../../task/blob-keys.ts';
import { BgAgentError } from '../../task/errors.ts';
import { isTerminal } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import { visibleTask } from '../access.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { taskParams } from '../schemas/envelope.ts';
import { COMMON_FAILURES, keyWith, NOT_FOUND } from './responses.ts';

/** What a task left as plain text: its log and its diff, of the latest attempt that left any. */
export function textRoutes(app: ApiApp, deps: ApiDeps): void {
  const texts = [
    {
      path: '/v1/tasks/{task_id}/logs',
      id: 'getLogs',
      what: 'the log of a task',
      none: 'log',
      keyOf: logKey,
    },
    {
      path: '/v1/tasks/{task_id}/diff',
      id: 'getDiff',
      what: 'the unified diff of a task',
      none: 'diff',
      keyOf: diffKey,
    },
  ] as const;

  for (const { path, id, what, none, keyOf } of texts)
    app.openapi(
      createRoute({
        method: 'get',
        path,
        operationId: id,
        summary: `Read ${what}`,
        tags: ['tasks'],
        security: keyWith('tasks:read'),
        middleware: [requires(deps, 'tasks:read')] as const,
        request: { params: taskParams },
        responses: {
          200: {
            description: 'The text. `X-Diff-Truncated: true` when a diff was cut at 1 MiB.',
            content: { 'text/plain': { schema: z.string() } },
          },
          ...COMMON_FAILURES,
          ...NOT_FOUND,
        },
      }),
      async (c) => {
        const task = await visibleTask(deps.stores, c.get('principal'), c.req.valid('param').task_id);
        const bytes = await latest(deps, task, keyOf);
        // An ended task that left none printed or changed nothing.
        if (!bytes && !isTerminal(task.status))
          throw new BgAgentError('TRACE_NOT_AVAILABLE', `task ${task.task_id} has no ${none} yet`);
        if (keyOf === diffKey && (await isCut(deps, task))) c.header('X-Diff-Truncated', 'true');
        return c.text(new TextDecoder().decode(bytes), 200);
      },
    );
}

/** The runner sends 1 MiB of a diff at most. */
async function isCut({ stores }: ApiDeps, task: Task): Promise<boolean> {
  return (await stores.outcomes.get(task.task_id, task.attempt))?.diff_truncated === true;
}

async function latest(
  { blobs }: ApiDeps,
  task: Task,
  keyOf: (taskId: string, attempt: number) => string,
): Promise<Uint8Array | undefined> {
  for (let attempt = task.attempt; attempt >= 1; attempt -= 1) {
    const bytes = await blobs.get(keyOf(task.task_id, attempt));
    if (bytes) return bytes;
  }
  return undefined;
}

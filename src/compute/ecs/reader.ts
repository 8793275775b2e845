import type { ECSClient, Task } from '@aws-sdk/client-ecs';

export interface TaskReader {
  /** What ECS knows of a task; undefined when it knows nothing. Many asked at one moment share a call. */
  read(arn: string): Promise<Task | undefined>;
}

/** Tasks that one DescribeTasks may ask for. */
const BATCH = 100;

/** Collects what is asked within a turn of the event loop, and asks for up to a hundred tasks by one call. */
export function createTaskReader({
  client,
  cluster,
}: {
  client(): Promise<ECSClient>;
  cluster: string;
}): TaskReader {
  let waiting = new Map<string, PromiseWithResolvers<Task | undefined>>();

  async function ask(batch: readonly [string, PromiseWithResolvers<Task | undefined>][]): Promise<void> {
    try {
      const { DescribeTasksCommand } = await import('@aws-sdk/client-ecs');
      const { tasks = [] } = await (await client()).send(
        new DescribeTasksCommand({ cluster, tasks: batch.map(([arn]) => arn) }),
      );
      const found = new Map(tasks.map((task) => [task.taskArn, task]));
      // One that ECS has forgotten is among the answer's failures, as MISSING.
      for (const [arn, { resolve }] of batch) resolve(found.get(arn));
    } catch (error) {
      for (const [, { reject }] of batch) reject(error);
    }
  }

  function askAll(): void {
    const all = [...waiting];
    waiting = new Map();
    for (let at = 0; at < all.length; at += BATCH) void ask(all.slice(at, at + BATCH));
  }

  return {
    read(arn) {
      const asked = waiting.get(arn) ?? Promise.withResolvers<Task | undefined>();
      if (waiting.size === 0) setImmediate(askAll);
      waiting.set(arn, asked);
      return asked.promise;
    },
  };
}

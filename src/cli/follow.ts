import type { Client, TaskDetail } from '../api/client.ts';
import type { Cli } from './cli.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createProgress, isTerminalEvent } from './output/progress.ts';
import { endView, statusLine } from './output/task-view.ts';
import { cleanLine } from './output/untrusted.ts';

/**
 * Shows a task's events as they happen, from its first, until it has ended; returns how it ended. In JSON mode each
 * event is a line. On an abort of `signal` the task goes on.
 */
export async function followTask(
  cli: Cli,
  client: Client,
  task: TaskDetail,
  signal = cli.signal,
): Promise<TaskDetail> {
  const progress = createProgress(cli, task.created_at);
  try {
    for await (const event of client.streamEvents(task.task_id, { signal })) {
      cli.printJson(event);
      progress.event(event);
      if (isTerminalEvent(event)) break;
    }
  } finally {
    progress.end();
  }
  return client.getTask(task.task_id);
}

/** Follows the task and says how it ended; on Ctrl-C, that it goes on and how to end it. */
export async function watchToEnd(cli: Cli, client: Client, task: TaskDetail): Promise<ExitCode> {
  cli.print(`${cli.style.bold(task.task_id)}  ${cleanLine(task.repo)}\n`);
  try {
    const ended = await followTask(cli, client, task);
    cli.printJson(ended);
    cli.print(`\n${statusLine(ended, cli.style)}\n${endView(ended, cli.style)}`);
    return ended.status === 'COMPLETED' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!cli.signal.aborted) throw error;
    cli.note(
      `\nNo longer watching; the task goes on. Watch again: ${cli.program} watch ${task.task_id}` +
        `\nEnd it: ${cli.program} cancel ${task.task_id}`,
    );
    return EXIT.interrupted;
  }
}

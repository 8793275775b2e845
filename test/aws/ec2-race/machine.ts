import type { NewCommand } from '../../../src/compute/ec2/cloud.ts';
import type { FastClock } from './clock.ts';
import type { RaceTasks } from './tasks.ts';

/** A machine that does what the programs of an instance do, without processes. */
export interface RaceMachine {
  /** Runs a document; resolves to its exit code. */
  run(command: NewCommand): Promise<number>;
  /** The live task that runs on it and that nobody has given up. */
  wanted(): string | undefined;
  kill(): void;
}

export function createRaceMachine({
  id,
  clock,
  tasks,
  payloads,
  random,
  violations,
}: {
  id: string;
  clock: FastClock;
  tasks: RaceTasks;
  payloads: ReadonlySet<string>;
  random(): number;
  violations: string[];
}): RaceMachine {
  /** Sessions that began here: how they end. */
  const begun = new Map<string, Promise<number>>();
  const stopped = new Set<string>();
  let running: { session: string; taskId: string; attempt: number; stop(): void } | undefined;
  let dead = false;

  async function start(session: string, payload: string, taskId: string, attempt: number): Promise<number> {
    await clock.delay(300 * random());
    if (!payloads.has(payload)) return 66;
    if (!tasks.mayBegin(taskId, attempt, id)) return 77;
    if (stopped.has(session)) return 77;
    if (dead) return 137;
    if (running) {
      violations.push(`${id} was to run ${session} while it runs ${running.session}`);
      return 73;
    }
    const { promise, resolve } = Promise.withResolvers<number>();
    running = { session, taskId, attempt, stop: () => resolve(0) };
    tasks.begins(taskId, attempt, id);
    void clock.delay(500 + 2_500 * random()).then(() => resolve(0));
    const code = await promise;
    tasks.ends(taskId, attempt, id);
    if (running?.session === session) running = undefined;
    if (!dead && !stopped.has(session)) tasks.reports(taskId, attempt);
    return dead ? 137 : code;
  }

  return {
    async run({ document, parameters }) {
      if (document === 'boot-check') {
        await clock.delay(1_000 * random());
        return 0;
      }
      const { Task: taskId = '', Epoch: epoch = '', Payload: payload = '' } = parameters;
      const session = `${taskId}-${epoch}`;
      if (document === 'stop') {
        stopped.add(session);
        if (running?.session === session) running.stop();
        await begun.get(session);
        return 0;
      }
      const before = begun.get(session);
      if (before) return before;
      const began = start(session, payload, taskId, Number(epoch));
      begun.set(session, began);
      const code = await began;
      // Without a trace: another delivery may try again.
      if (code === 66 || code === 77) begun.delete(session);
      return code;
    },
    wanted: () => (running && tasks.isWanted(running.taskId, running.attempt) ? running.taskId : undefined),
    kill() {
      dead = true;
      running?.stop();
    },
  };
}

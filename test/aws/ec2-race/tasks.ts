/** What the platform knows of the race's tasks, and who may begin them: as the runner's protocol does it. */

interface RaceTask {
  attempt: number;
  beganOn: string | undefined;
  reported: boolean;
  done: boolean;
  runningOn: Set<string>;
}

export interface Job {
  taskId: string;
  attempt: number;
}

export interface RaceTasks {
  mayBegin(taskId: string, attempt: number, runner: string): boolean;
  begins(taskId: string, attempt: number, runner: string): void;
  ends(taskId: string, attempt: number, runner: string): void;
  reports(taskId: string, attempt: number): void;
  isWanted(taskId: string, attempt: number): boolean;
}

export function createRaceTasks({
  total,
  name,
  violations,
}: {
  total: number;
  name(at: number): string;
  violations: string[];
}) {
  const tasks = new Map<string, RaceTask>();
  const queue: Job[] = [];
  let done = 0;
  for (let at = 0; at < total; at += 1) {
    const taskId = name(at);
    tasks.set(taskId, { attempt: 1, beganOn: undefined, reported: false, done: false, runningOn: new Set() });
    queue.push({ taskId, attempt: 1 });
  }
  const of = (taskId: string): RaceTask => {
    const task = tasks.get(taskId);
    if (!task) throw new Error(`no task ${taskId}`);
    return task;
  };
  const isCurrent = (taskId: string, attempt: number): boolean => {
    const task = of(taskId);
    return !task.done && task.attempt === attempt;
  };
  const next = (taskId: string, { sameAttempt }: { sameAttempt: boolean }): void => {
    const task = of(taskId);
    if (task.done) return;
    if (!sameAttempt) Object.assign(task, { attempt: task.attempt + 1, beganOn: undefined, reported: false });
    queue.push({ taskId, attempt: task.attempt });
  };
  return {
    mayBegin(taskId: string, attempt: number, runner: string): boolean {
      const task = of(taskId);
      if (!isCurrent(taskId, attempt) || task.reported) return false;
      task.beganOn ??= runner;
      return task.beganOn === runner;
    },
    begins(taskId: string, attempt: number, runner: string): void {
      const task = of(taskId);
      if (task.runningOn.size > 0)
        violations.push(`${taskId}-${attempt} runs on ${runner} and ${[...task.runningOn].join(', ')}`);
      task.runningOn.add(runner);
    },
    ends(taskId: string, _attempt: number, runner: string): void {
      of(taskId).runningOn.delete(runner);
    },
    reports(taskId: string, attempt: number): void {
      if (isCurrent(taskId, attempt)) of(taskId).reported = true;
    },
    /** Nobody is to end a machine under it: its attempt is current, and it has not reported. */
    isWanted: (taskId: string, attempt: number) => isCurrent(taskId, attempt) && !of(taskId).reported,

    /** For workers. */
    async take(): Promise<Job | 'wait' | 'over'> {
      return queue.shift() ?? (done === total ? 'over' : 'wait');
    },
    async state(taskId: string, attempt: number): Promise<'running' | 'reported' | 'stale'> {
      if (!isCurrent(taskId, attempt)) return 'stale';
      return of(taskId).reported ? 'reported' : 'running';
    },
    /** The place was lost: the task goes on as another attempt. */
    async retry(taskId: string, attempt: number): Promise<void> {
      if (isCurrent(taskId, attempt)) next(taskId, { sameAttempt: false });
    },
    async finish(taskId: string, attempt: number): Promise<void> {
      const task = of(taskId);
      if (task.done || task.attempt !== attempt) return;
      task.done = true;
      done += 1;
    },
    /** Its worker died: somebody takes it up, as a replay of the same attempt or as the next one. */
    orphaned({ taskId, attempt }: Job, options: { sameAttempt: boolean }): void {
      if (isCurrent(taskId, attempt)) next(taskId, options);
    },
    done: () => done,
    /** What isn't done, for a race that stands still. */
    open: () =>
      [...tasks].flatMap(([taskId, { runningOn, ...task }]) =>
        task.done ? [] : [{ taskId, ...task, runningOn: [...runningOn] }],
      ),
  };
}

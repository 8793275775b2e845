import type {
  ComputeEvents,
  ComputeStrategy,
  SessionSpec,
  SessionState,
} from '../../src/compute/strategy.ts';
import { executionName, type Session } from '../../src/task/task.ts';

interface FakeSession {
  spec: SessionSpec;
  state: SessionState;
  starts: number;
}

/** A backend in memory whose sessions do what the test says; passes the same contract suite as the real ones. */
export interface FakeCompute extends ComputeStrategy {
  sessions: ReadonlyMap<string, FakeSession>;
  /** Ends a session as if its process had. */
  end(sessionId: string, exitCode: number): void;
  /** Runs before each call of that name; throw in it to make the call fail. */
  before: Partial<Record<'start' | 'describe' | 'stop', (sessionId: string) => void | Promise<void>>>;
}

export function createFakeCompute({
  capacity,
  events,
  type = 'fake',
}: {
  capacity: number;
  events: ComputeEvents;
  type?: string;
}): FakeCompute {
  const sessions = new Map<string, FakeSession>();
  const running = () => [...sessions.values()].filter(({ state }) => state.kind === 'running').length;
  const before: FakeCompute['before'] = {};
  const end = (id: string, exitCode: number): void => {
    const session = sessions.get(id);
    if (session?.state.kind !== 'running') return;
    session.state = { kind: 'exited', exitCode, reason: `exit code ${exitCode}` };
    events.sessionEnded(session.spec.taskId, session.spec.attempt);
    events.capacityFreed();
  };
  return {
    type,
    capabilities: { reportsExit: true, startAllowanceMs: 0, maxSessions: capacity },
    sessions,
    before,
    end,
    async start(spec) {
      const id = executionName(spec.taskId, spec.attempt);
      const session: Session = { type, id, ref: null };
      await before.start?.(id);
      if (sessions.has(id)) return { kind: 'started', session };
      if (running() >= capacity)
        return { kind: 'no-capacity', reason: `${capacity} of ${capacity} sessions are in use` };
      sessions.set(id, { spec, state: { kind: 'running' }, starts: 1 });
      return { kind: 'started', session };
    },
    async describe({ id }) {
      await before.describe?.(id);
      return sessions.get(id)?.state ?? { kind: 'missing' };
    },
    async stop({ id }) {
      await before.stop?.(id);
      end(id, 143);
    },
    async list() {
      return [...sessions.keys()].map((id) => ({ type, id, ref: null }));
    },
    async cleanUp({ id }) {
      if (sessions.get(id)?.state.kind !== 'running') sessions.delete(id);
    },
  };
}

import type { SessionSpec } from '../../src/compute/strategy.ts';
import { createIdSource } from '../../src/task/ids.ts';
import { computeContract } from '../contracts/compute.contract.ts';
import { createFakeCompute } from './compute.ts';

const newId = createIdSource(Date.now);

computeContract(
  'fake',
  async () => {
    const ended: string[] = [];
    const strategy = createFakeCompute({
      capacity: 2,
      events: {
        sessionEnded: (taskId, attempt) => ended.push(`${taskId}-${attempt}`),
        capacityFreed: () => undefined,
      },
    });
    const idOf = (spec: SessionSpec) => `${spec.taskId}-${spec.attempt}`;
    const start = strategy.start;
    strategy.start = async (spec) => {
      const answer = await start(spec);
      if (spec.token.startsWith('exit-')) strategy.end(idOf(spec), Number(spec.token.slice(5)));
      return answer;
    };
    return {
      strategy,
      ended,
      spec: async (behaviour) => ({
        taskId: newId(),
        attempt: 1,
        token: behaviour,
        readOnly: false,
        instanceType: null,
        deadlineAtMs: Date.now() + 60_000,
      }),
      starts: async (spec) => strategy.sessions.get(idOf(spec))?.starts ?? 0,
      // A daemon of a fake session is imagined: it goes with its session.
      leftovers: async (spec) => (strategy.sessions.get(idOf(spec))?.state.kind === 'running' ? 2 : 0),
      close: async () => undefined,
    };
  },
  { capacity: 2 },
);

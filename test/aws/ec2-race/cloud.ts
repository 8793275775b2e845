import { randomUUID } from 'node:crypto';
import type { Cloud, Group, Invocation, Machine, NewCommand } from '../../../src/compute/ec2/cloud.ts';
import { BgAgentError } from '../../../src/task/errors.ts';
import { Lagging } from '../../fakes/fleet/state.ts';
import type { FastClock } from './clock.ts';
import { createRaceMachine, type RaceMachine } from './machine.ts';
import type { RaceTasks } from './tasks.ts';

interface Command {
  instanceId: string;
  comment: string;
  sentAtMs: number;
  state: Lagging<Invocation>;
}

/**
 * An account in memory whose machines do what the programs of an instance do, on a fast clock. Reads lag behind by up to two seconds,
 * commands come late or twice, machines die. What must never happen is written down in `violations`.
 */
export function createRaceCloud({
  clock,
  tasks,
  random,
  size,
  violations,
}: {
  clock: FastClock;
  tasks: RaceTasks;
  random(): number;
  size: number;
  violations: string[];
}) {
  const payloads = new Set<string>();
  const commands = new Map<string, Command>();
  const machines = new Map<
    string,
    { machine: RaceMachine; state: Lagging<string>; lifecycle: Lagging<string> }
  >();
  let desired = size;
  let launched = 0;
  let terminated = 0;
  const lag = (): number => random() * 2_000;

  function settle(): void {
    const alive = [...machines.values()].filter(({ state }) => state.now === 'running').length;
    for (let missing = desired - alive; missing > 0; missing -= 1) {
      launched += 1;
      machines.set(`i-${launched}`, {
        machine: createRaceMachine({ id: `i-${launched}`, clock, tasks, payloads, random, violations }),
        state: new Lagging(clock.now, 'running'),
        lifecycle: new Lagging(clock.now, 'Pending:Wait'),
      });
    }
  }
  settle();

  function end(instanceId: string): void {
    const found = machines.get(instanceId);
    if (found?.state.now !== 'running') return;
    found.machine.kill();
    found.state.set('terminated');
    found.lifecycle.set('Terminated');
    settle();
  }

  async function deliver(command: NewCommand, kept: Command): Promise<void> {
    // Some come very late: after their task has ended.
    await clock.delay(random() < 0.02 ? 30_000 * random() : 200 + 800 * random());
    const found = machines.get(command.instanceId);
    if (found?.state.now !== 'running') return;
    kept.state.set({ status: 'InProgress', statusDetails: '', responseCode: -1 });
    const code = await found.machine.run(command);
    if (found.state.now !== 'running') return;
    const status = code === 0 ? 'Success' : 'Failed';
    kept.state.set({ status, statusDetails: status, responseCode: code });
  }

  const seen = (): Machine[] =>
    [...machines].flatMap(([instanceId, { state }]) => {
      const value = state.seen(lag());
      return value === undefined ? [] : [{ instanceId, state: value, interrupted: false }];
    });

  const cloud: Cloud = {
    payloadLocation: (key) => key,
    async putPayload(key) {
      payloads.add(key);
    },
    async deletePayload(key) {
      payloads.delete(key);
    },
    async sendCommand(command) {
      if (machines.get(command.instanceId)?.state.now !== 'running')
        throw new BgAgentError('COMPUTE_UNAVAILABLE', 'refused: InvalidInstanceId');
      const id = randomUUID();
      const { instanceId, comment } = command;
      const state = new Lagging<Invocation>(clock.now, {
        status: 'Pending',
        statusDetails: 'Pending',
        responseCode: -1,
      });
      const kept = { instanceId, comment, sentAtMs: clock.now(), state };
      commands.set(id, kept);
      void deliver(command, kept);
      if (random() < 0.03) void deliver(command, kept);
      return id;
    },
    async findCommand({ instanceId, comment, sinceMs }) {
      for (const [id, command] of commands)
        if (
          command.instanceId === instanceId &&
          command.comment === comment &&
          command.sentAtMs >= sinceMs &&
          command.state.seen(lag()) !== undefined
        )
          return id;
      return undefined;
    },
    invocation: async (commandId) => commands.get(commandId)?.state.seen(lag()),
    executing: async () =>
      new Set(
        [...commands].flatMap(([id, { state }]) =>
          ['Pending', 'InProgress'].includes(state.seen(lag())?.status ?? '') ? [id] : [],
        ),
      ),
    cancelCommand: async () => undefined,
    machines: async () => seen(),
    machine: async (id) => {
      const state = machines.get(id)?.state.now;
      return state === undefined ? undefined : { instanceId: id, state, interrupted: false };
    },
    groups: async ([name = '']): Promise<Group[]> => [
      {
        name,
        min: 0,
        max: size,
        desired,
        members: [...machines].flatMap(([instanceId, { lifecycle, state }]) => {
          const value = lifecycle.seen(lag());
          return value === undefined || state.seen(lag()) === 'terminated'
            ? []
            : [{ instanceId, lifecycle: value }];
        }),
      },
    ],
    online: async (ids) => new Set(ids.filter((id) => machines.get(id)?.state.now === 'running')),
    async setDesired(_, wanted) {
      desired = Math.min(size, wanted);
      settle();
    },
    capacityProblem: async () => undefined,
    async terminate(_, instanceId, { decrement }) {
      const found = machines.get(instanceId);
      if (found?.state.now !== 'running') return;
      const held = found.machine.wanted();
      if (held !== undefined) violations.push(`${instanceId} was ended under live task ${held}`);
      terminated += 1;
      if (decrement && desired > 0) desired -= 1;
      await clock.delay(500);
      end(instanceId);
    },
    async completeLaunch(_, instanceId, result) {
      const found = machines.get(instanceId);
      if (!found?.lifecycle.now.endsWith(':Wait')) return;
      if (result === 'CONTINUE') found.lifecycle.set('InService');
      else end(instanceId);
    },
    tag: async () => undefined,
    consoleOutput: async () => '',
  };
  return {
    cloud,
    /** A machine dies by itself. */
    killOne(): void {
      const alive = [...machines].filter(([, { state }]) => state.now === 'running');
      const chosen = alive[Math.floor(random() * alive.length)];
      if (chosen) end(chosen[0]);
    },
    counts: () => ({ launched, terminated, commands: commands.size, payloads: payloads.size }),
  };
}

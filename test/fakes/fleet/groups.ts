import type { SimMachine } from './machine.ts';
import { AwsError, Lagging, type Modes, type SimGroup, type SimInstance } from './state.ts';

/** Auto Scaling: keeps groups at their desired size, with a launch hook on each machine. */
export interface SimGroups {
  /** Launches what is missing. */
  settle(): void;
  setDesired(name: string, desired: number): void;
  complete(instanceId: string, result: string): void;
  protect(instanceId: string, on: boolean): void;
  terminate(instanceId: string, decrement: boolean): void;
  /** The machine dies, as hardware does; its group replaces it. */
  die(instanceId: string, options?: { interrupted?: boolean }): Promise<void>;
}

export function createGroups({
  groups,
  instances,
  machines,
  launch,
  modes,
  now,
  terminated,
}: {
  groups: ReadonlyMap<string, SimGroup>;
  instances: Map<string, SimInstance>;
  machines: ReadonlyMap<string, SimMachine>;
  /** Makes the machine of a new instance. */
  launch(id: string): SimMachine;
  modes: Modes;
  now(): number;
  /** A machine is ended on demand: the place for a test to see which. */
  terminated(instanceId: string): void;
}): SimGroups {
  let launched = 0;
  const of = (name: string): SimGroup => {
    const group = groups.get(name);
    if (!group) throw new AwsError('ValidationError', 'AutoScalingGroup name not found');
    return group;
  };
  const instance = (id: string): SimInstance => {
    const found = instances.get(id);
    if (!found) throw new AwsError('ValidationError', 'Instance Id not found');
    return found;
  };
  const counts = ({ state, lifecycle }: SimInstance): boolean =>
    state.now !== 'terminated' && !lifecycle.now.startsWith('Terminat');

  function settle(): void {
    for (const group of groups.values()) {
      const members = [...instances.values()].filter((member) => member.group === group.name);
      for (let missing = group.desired - members.filter(counts).length; missing > 0; missing -= 1)
        if (!group.outOfCapacity) start(group.name);
    }
  }

  function start(group: string): void {
    launched += 1;
    const id = `i-${launched.toString(16).padStart(17, '0')}`;
    const added: SimInstance = {
      id,
      group,
      state: new Lagging(now, 'pending'),
      lifecycle: new Lagging(now, 'Pending:Wait'),
      interrupted: false,
      online: false,
      protected: true,
      tags: new Map(),
      notice: null,
    };
    instances.set(id, added);
    const broken = modes.boot;
    const machine = launch(id);
    added.state.set('running');
    if (broken !== 'offline') added.online = true;
    void machine.boot(broken).then(() => machine.watchSpot());
  }

  async function end(ended: SimInstance): Promise<void> {
    ended.online = false;
    ended.state.set('shutting-down');
    ended.lifecycle.set('Terminating');
    await machines.get(ended.id)?.kill();
    ended.state.set('terminated');
    settle();
  }

  return {
    settle,
    setDesired(name, desired) {
      const group = of(name);
      if (desired > group.max || desired < group.min)
        throw new AwsError('ValidationError', 'New SetDesiredCapacity value is out of bounds');
      group.desired = desired;
      settle();
    },
    complete(instanceId, result) {
      const waiting = instance(instanceId);
      if (!waiting.lifecycle.now.endsWith(':Wait'))
        throw new AwsError('ValidationError', 'No active Lifecycle Action found');
      if (result === 'CONTINUE') waiting.lifecycle.set('InService');
      else void end(waiting);
    },
    protect(instanceId, on) {
      instance(instanceId).protected = on;
    },
    terminate(instanceId, decrement) {
      const ended = instance(instanceId);
      if (!counts(ended)) throw new AwsError('ValidationError', 'the instance is being terminated');
      terminated(instanceId);
      const group = of(ended.group);
      if (decrement) {
        if (group.desired <= group.min) throw new AwsError('ValidationError', 'below the minimum');
        group.desired -= 1;
      }
      void end(ended);
    },
    async die(instanceId, { interrupted = false } = {}) {
      const dead = instance(instanceId);
      dead.interrupted = interrupted;
      await end(dead);
    },
  };
}

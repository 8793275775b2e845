import type { Fleet } from './fleet.ts';
import type { FleetParts } from './parts.ts';
import { stopSession } from './stop.ts';

/** What a runner gets to push, of the two minutes that AWS leaves: delivery of the command and its own end take the rest. */
const GRACE_MS = 75_000;

/**
 * AWS says that it will take a machine back. The machine's own watcher reads that, too, and stops its session; whoever is first,
 * the runner pushes what there is and the task goes on elsewhere. An idle machine is taken by nobody any more.
 */
export async function takeBack(parts: FleetParts, fleet: Fleet, instanceId: string): Promise<void> {
  const { instances, log } = parts;
  const machine = await instances.get(instanceId);
  if (!machine) return;
  log.warn(
    { event: 'compute.ec2.interruption', compute_type: 'ec2', instance_id: instanceId, phase: machine.phase },
    'AWS takes a Spot instance back',
  );
  const draining = await instances.move(instanceId, {
    from: ['idle', 'booting'],
    to: 'draining',
    patch: { reason: 'AWS takes it back' },
  });
  if (draining || machine.sessionId === null) return;
  await stopSession(parts, fleet, machine.sessionId, {
    graceMs: GRACE_MS,
    as: { kind: 'interrupted', reason: 'AWS takes the Spot instance back' },
  });
}

import type { FleetInstance } from '../../stores/instance-store.ts';
import { codeOf, messageOf } from '../../task/errors.ts';
import type { FleetParts } from './parts.ts';
import type { Pool } from './pools.ts';
import { executionTimeoutS, verdictOf } from './ssm.ts';

/** Which part of the boot failed, by the exit code of `boot-check`. */
const CHECK_PHASES: Readonly<Record<number, string>> = {
  10: 'docker',
  11: 'image',
  12: 'disk',
  13: 'gpu',
  14: 'prepare',
};

/** Characters of the console output that the log keeps. */
const CONSOLE_TAIL = 4_000;

/**
 * One step of a machine's boot: wait for its SSM agent, send the boot check, read how it went, let it into service or abandon it.
 * Safe to run twice and at once. Resolves to true when the machine became idle.
 */
export async function advanceBoot(
  parts: FleetParts,
  instance: FleetInstance,
  { pool, lifecycle, online }: { pool: Pool; lifecycle: string; online: boolean },
): Promise<boolean> {
  const { instances, cloud, limits, now } = parts;
  const { instanceId, checkCommandId, sinceMs } = instance;
  // A stopped machine of the warm pool: it boots again, and is checked again, when it is needed.
  if (/^Warmed:(?!Pending)/.test(lifecycle)) return false;
  const late = now() > sinceMs + limits.bootMs;
  if (checkCommandId === null) {
    if (late)
      return fail(parts, instance, { pool, phase: 'ssm', reason: 'its SSM agent was never heard of' });
    if (!online) return false;
    const command = await cloud.sendCommand({
      document: 'boot-check',
      instanceId,
      parameters: { executionTimeout: executionTimeoutS(limits.bootMs) },
      comment: `bgagent boot-check ${instanceId}`,
      deliveryTimeoutS: 60,
    });
    await instances.move(instanceId, {
      from: ['booting'],
      to: 'booting',
      patch: { checkCommandId: command, sinceMs: now() },
    });
    return false;
  }
  const invocation = await cloud.invocation(checkCommandId, instanceId);
  const verdict = invocation ? verdictOf(invocation) : { kind: 'running' as const };
  if (verdict.kind !== 'ended') {
    if (late)
      return fail(parts, instance, { pool, phase: 'boot-check', reason: 'the boot check did not end' });
    return false;
  }
  if (verdict.exitCode !== 0) {
    const phase = (verdict.exitCode !== null && CHECK_PHASES[verdict.exitCode]) || 'boot-check';
    return fail(parts, instance, { pool, phase, reason: verdict.reason });
  }
  if (lifecycle.startsWith('Warmed:')) {
    await instances.move(instanceId, { from: ['booting'], to: 'booting', patch: { checkCommandId: null } });
    await cloud.completeLaunch(pool.group, instanceId, 'CONTINUE');
    return false;
  }
  await cloud.completeLaunch(pool.group, instanceId, 'CONTINUE');
  const ready = await instances.move(instanceId, { from: ['booting'], to: 'idle', patch: { reason: null } });
  if (ready)
    parts.aside('compute.ec2.tags_not_written', () => cloud.tag(instanceId, { status: 'idle', taskId: '' }));
  return ready;
}

/** Abandoned, so that the group replaces it; what it printed is kept in the log. */
async function fail(
  parts: FleetParts,
  { instanceId }: FleetInstance,
  { pool, phase, reason }: { pool: Pool; phase: string; reason: string },
): Promise<false> {
  const { instances, cloud, log } = parts;
  const failed = await instances.move(instanceId, {
    from: ['booting'],
    to: 'boot-failed',
    patch: { reason: `${phase}: ${reason}` },
  });
  if (!failed) return false;
  const output = await cloud.consoleOutput(instanceId).catch((error: unknown) => messageOf(error));
  log.error(
    {
      event: 'compute.ec2.boot_failed',
      error_id: 'EC2_BOOT_FAILED',
      compute_type: 'ec2',
      instance_id: instanceId,
      pool: pool.name,
      phase,
      reason,
      console_tail: output.slice(-CONSOLE_TAIL),
    },
    'a machine did not boot and is replaced',
  );
  parts.aside('compute.ec2.tags_not_written', () =>
    cloud.tag(instanceId, { status: 'boot-failed', taskId: '' }),
  );
  try {
    await cloud.completeLaunch(pool.group, instanceId, 'ABANDON');
  } catch (error) {
    // The sweep ends it, as it does a machine that has no launch hook.
    log.warn(
      {
        event: 'compute.ec2.abandon_failed',
        instance_id: instanceId,
        code: codeOf(error),
        error: messageOf(error),
      },
      'a machine that did not boot could not be abandoned',
    );
  }
  return false;
}

import { BgAgentError } from '../../task/errors.ts';

/** Machines that are alike: one Auto Scaling group for each instance type and purchase option. */
export interface Pool {
  /** `<instance type>/<purchase>` */
  name: string;
  type: string;
  purchase: Purchase;
  /** Name of the Auto Scaling group. */
  group: string;
}

type Purchase = 'spot' | 'on-demand';

/**
 * Pools from the setting `ec2_groups`, in its order; the first one's type is that of tasks that name none.
 * Throws VALIDATION_ERROR for a key that is no `<type>/<purchase>`.
 */
export function poolsOf(groups: Readonly<Record<string, string>>): Pool[] {
  return Object.entries(groups).map(([name, group]) => {
    const [, type = '', purchase = ''] = /^([a-z0-9-]+\.[a-z0-9-]+)\/(spot|on-demand)$/.exec(name) ?? [];
    if (type === '')
      throw new BgAgentError(
        'VALIDATION_ERROR',
        `ec2_groups: "${name}" must be an instance type and a purchase option, such as t4g.large/on-demand or g5.xlarge/spot`,
        { field: 'ec2_groups' },
      );
    return { name, type, purchase: purchase === 'spot' ? 'spot' : 'on-demand', group };
  });
}

/**
 * Where a session may run, most wanted first. Spot comes before on-demand; a later attempt, whose machine was perhaps taken away,
 * stays off Spot where it can. Throws VALIDATION_ERROR for a type that the fleet lacks.
 */
export function poolsFor(
  pools: readonly Pool[],
  { instanceType, attempt }: { instanceType: string | null; attempt: number },
): Pool[] {
  const type = instanceType ?? pools[0]?.type;
  const fitting = pools.filter((pool) => pool.type === type);
  if (fitting.length === 0) {
    const known = [...new Set(pools.map((pool) => pool.type))].join(', ') || 'none';
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `instance_type: the fleet has no ${type ?? 'machines'}; it has ${known} (setting ec2_groups)`,
      { field: 'instance_type' },
    );
  }
  const [spot, onDemand] = (['spot', 'on-demand'] as const).map((purchase) =>
    fitting.filter((pool) => pool.purchase === purchase),
  ) as [Pool[], Pool[]];
  if (attempt > 1 && onDemand.length > 0) return onDemand;
  return [...spot, ...onDemand];
}

/** Families with NVIDIA GPUs: p2 to p6, g3 to g6 but the AMD ones (g4ad). */
export const hasGpu = (type: string): boolean => /^(p\d|g\d)(?!ad\.)/.test(type);

/** Graviton: a `g` after the generation's digit, and the first generation, a1. */
export const isArm = (type: string): boolean => /^([a-z]+\d+[a-z]*g[a-z]*|a1)\./.test(type);

/** The image for a type: `{arch}` in the setting becomes the machine's architecture. */
export const imageFor = (image: string, type: string): string =>
  image.replaceAll('{arch}', isArm(type) ? 'arm64' : 'amd64');

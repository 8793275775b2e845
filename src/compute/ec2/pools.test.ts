import { describe, expect, it } from 'vitest';
import { hasGpu, imageFor, isArm, poolsFor, poolsOf } from './pools.ts';

const pools = poolsOf({
  't4g.large/on-demand': 'large',
  't4g.large/spot': 'large-spot',
  'g5.xlarge/spot': 'gpu-spot',
});
const named = (instanceType: string | null, attempt = 1): string[] =>
  poolsFor(pools, { instanceType, attempt }).map(({ name }) => name);

describe('the pools of a fleet (E3)', () => {
  it('are named by type and purchase option, the first type being the default', () => {
    expect(pools[0]).toEqual({
      name: 't4g.large/on-demand',
      type: 't4g.large',
      purchase: 'on-demand',
      group: 'large',
    });
    expect(named(null)).toEqual(named('t4g.large'));
  });

  it('offer Spot first, and on-demand to a task whose place was taken away (E13)', () => {
    expect(named('t4g.large')).toEqual(['t4g.large/spot', 't4g.large/on-demand']);
    expect(named('t4g.large', 2)).toEqual(['t4g.large/on-demand']);
    expect(named('g5.xlarge', 2)).toEqual(['g5.xlarge/spot']);
  });

  it('refuse a type that the fleet lacks, and say which it has', () => {
    expect(() => named('m7g.large')).toThrow(
      /instance_type.*no m7g\.large.*t4g\.large, g5\.xlarge.*ec2_groups/,
    );
  });

  it.each(['t4g.large', 't4g.large/reserved', '/spot', 'T4G.large/spot', 't4g.large/spot/x'])(
    'have no name such as %s',
    (name) => {
      expect(() => poolsOf({ [name]: 'group' })).toThrow(/ec2_groups/);
    },
  );
});

describe('instance types', () => {
  it.each([
    ['t4g.large', { gpu: false, arm: true }],
    ['m7gd.large', { gpu: false, arm: true }],
    ['a1.medium', { gpu: false, arm: true }],
    ['c7i.large', { gpu: false, arm: false }],
    ['g5.xlarge', { gpu: true, arm: false }],
    ['g4ad.xlarge', { gpu: false, arm: false }],
    ['g5g.xlarge', { gpu: true, arm: true }],
    ['p4d.24xlarge', { gpu: true, arm: false }],
    ['x2gd.metal', { gpu: false, arm: true }],
    ['r6i.large', { gpu: false, arm: false }],
  ])('%s is known for what it is', (type, { gpu, arm }) => {
    expect({ gpu: hasGpu(type), arm: isArm(type) }).toEqual({ gpu, arm });
    expect(imageFor('runner:1-{arch}', type)).toBe(arm ? 'runner:1-arm64' : 'runner:1-amd64');
  });
});

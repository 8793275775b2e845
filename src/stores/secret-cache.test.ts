import { describe, expect, it } from 'vitest';
import { createClock } from '../../test/contracts/stores.contract.ts';
import { cachedSecrets } from './secret-cache.ts';
import type { SecretStore } from './secret-store.ts';

function aStore() {
  const values = new Map([['a', 'one']]);
  let reads = 0;
  const secrets: SecretStore = {
    async get(name) {
      reads += 1;
      return values.get(name);
    },
    async put(name, value) {
      values.set(name, value);
    },
    async delete(name) {
      values.delete(name);
    },
    list: async () => [...values.keys()],
  };
  const clock = createClock();
  return {
    values,
    reads: () => reads,
    clock,
    cached: cachedSecrets(secrets, { maxAgeMs: 1_000, now: clock.now }),
  };
}

describe('remembered secrets', () => {
  it('are read once for many who ask, and again when they are old', async () => {
    const { values, reads, clock, cached } = aStore();
    expect(await Promise.all([cached.get('a'), cached.get('a')])).toEqual(['one', 'one']);
    values.set('a', 'rotated');
    clock.advance(999);
    expect(await cached.get('a')).toBe('one');
    expect(reads()).toBe(1);
    clock.advance(1);
    expect(await cached.get('a')).toBe('rotated');
  });

  it('are what was put or deleted here, at once', async () => {
    const { cached } = aStore();
    expect(await cached.get('a')).toBe('one');
    await cached.put('a', 'two');
    expect(await cached.get('a')).toBe('two');
    await cached.delete('a');
    expect(await cached.get('a')).toBeUndefined();
  });

  it('that are not there, or could not be read, are asked for again', async () => {
    const { values, cached } = aStore();
    expect(await cached.get('b')).toBeUndefined();
    values.set('b', 'there now');
    expect(await cached.get('b')).toBe('there now');
    const clock = createClock();
    let broken = true;
    const failing = cachedSecrets(
      {
        get: async () => {
          if (broken) throw new Error('no network');
          return 'back';
        },
        put: async () => undefined,
        delete: async () => undefined,
        list: async () => [],
      },
      { maxAgeMs: 1_000, now: clock.now },
    );
    await expect(failing.get('a')).rejects.toThrow('no network');
    broken = false;
    expect(await failing.get('a')).toBe('back');
  });
});

import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { SecretStore } from '../../src/stores/secret-store.ts';
import { messageOf } from '../../src/task/errors.ts';
import { type Skip, testsWithSkips } from './skips.ts';

/** What every secret store does. */
export function secretStoreContract({
  name,
  create,
  skip = [],
}: {
  name: string;
  create(): Promise<{ secrets: SecretStore; close(): Promise<void> }>;
  skip?: readonly Skip[];
}): void {
  describe(`secrets: ${name}`, () => {
    const it = testsWithSkips(skip);
    let secrets: SecretStore;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ secrets, close } = await create());
    });
    afterEach(() => close());

    it('keeps the latest value of a name', async () => {
      expect(await secrets.get('forge/token')).toBeUndefined();
      await secrets.put('forge/token', 'one');
      await secrets.put('forge/token', 'zwei "\u{1f680}"\n');
      expect(await secrets.get('forge/token')).toBe('zwei "\u{1f680}"\n');
      await secrets.delete('forge/token');
      await secrets.delete('forge/token');
      expect(await secrets.get('forge/token')).toBeUndefined();
    });

    it('lists names, never values', async () => {
      await secrets.put('b', 'value-of-b');
      await secrets.put('a', 'value-of-a');
      expect(await secrets.list()).toEqual(['a', 'b']);
      await secrets.delete('a');
      expect(await secrets.list()).toEqual(['b']);
    });

    it('loses none of many that are put at once', async () => {
      const names = Array.from({ length: 12 }, (_, n) => `secret-${n}`);
      await Promise.all(names.map((secret) => secrets.put(secret, `value of ${secret}`)));
      expect(await secrets.list()).toEqual(names.toSorted());
      expect(await secrets.get('secret-7')).toBe('value of secret-7');
    });

    it('refuses names that are not plain, without telling the value (N2)', async () => {
      for (const wrong of ['', '.a', '/a', 'a b', 'a\n', '__proto__', 'ä', 'x'.repeat(201)]) {
        const refused = await secrets.put(wrong, 'hunter2').then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(refused, wrong).toMatchObject({ code: 'VALIDATION_ERROR', field: 'name' });
        expect(messageOf(refused)).not.toContain('hunter2');
        await expect(secrets.get(wrong), wrong).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
      }
      expect(await secrets.get('constructor')).toBeUndefined();
    });
  });
}

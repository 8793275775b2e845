import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { BlobStore } from '../../src/stores/blob-store.ts';
import { type Skip, testsWithSkips } from './skips.ts';

/** What every blob store does. */
export function blobStoreContract({
  name,
  create,
  skip = [],
}: {
  name: string;
  create(): Promise<{ blobs: BlobStore; close(): Promise<void> }>;
  skip?: readonly Skip[];
}): void {
  describe(`blobs: ${name}`, () => {
    const it = testsWithSkips(skip);
    let blobs: BlobStore;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ blobs, close } = await create());
    });
    afterEach(() => close());

    const textOf = async (key: string): Promise<string | undefined> => {
      const value = await blobs.get(key);
      return value && Buffer.from(value).toString();
    };

    it('keeps bytes and texts as they are, and the latest of them', async () => {
      const bytes = Uint8Array.from({ length: 70_000 }, (_, n) => n % 256);
      await blobs.put('a/b.bin', bytes);
      expect(Buffer.from((await blobs.get('a/b.bin')) ?? []).equals(bytes)).toBe(true);
      await blobs.put('a/b.bin', 'grün \u{1f680}\n');
      expect(await textOf('a/b.bin')).toBe('grün \u{1f680}\n');
      await blobs.put('a/b.bin', '');
      expect(await textOf('a/b.bin')).toBe('');
    });

    it('has nothing under a key that was not put, or was deleted', async () => {
      expect(await blobs.get('logs/none')).toBeUndefined();
      await blobs.put('logs/one', 'x');
      expect(await blobs.get('logs')).toBeUndefined();
      expect(await blobs.get('logs/one/below')).toBeUndefined();
      await blobs.delete('logs/one');
      await blobs.delete('logs/one');
      expect(await blobs.get('logs/one')).toBeUndefined();
    });

    it('shows a whole value while it is replaced', async () => {
      const values = ['a', 'b', 'c'].map((letter) => letter.repeat(200_000));
      await blobs.put('payload', values[0] ?? '');
      const puts = Promise.all(
        Array.from({ length: 12 }, (_, n) => blobs.put('payload', values[n % 3] ?? '')),
      );
      for (let reads = 0; reads < 20; reads += 1) expect(values).toContain(await textOf('payload'));
      await puts;
      expect(values).toContain(await textOf('payload'));
    });

    it('appends at the end, and makes the value when there is none', async () => {
      expect(await blobs.append('log', 0, 'grün')).toBe(5);
      expect(await blobs.append('log', 5, new Uint8Array([33]))).toBe(6);
      expect(await textOf('log')).toBe('grün!');
    });

    it('skips what it has already, so an append can be sent again', async () => {
      await blobs.append('log', 0, 'hello');
      expect(await blobs.append('log', 0, 'hello')).toBe(5);
      expect(await blobs.append('log', 3, 'lo world')).toBe(11);
      expect(await blobs.append('log', 2, 'llo')).toBe(11);
      expect(await textOf('log')).toBe('hello world');
    });

    it('writes nothing past a gap, and says where to go on', async () => {
      expect(await blobs.append('log', 4, 'later')).toBe(0);
      await blobs.append('log', 0, 'abc');
      expect(await blobs.append('log', 4, 'later')).toBe(3);
      expect(await textOf('log')).toBe('abc');
    });

    it('takes each byte once when the same is appended many times at once', async () => {
      const parts = Array.from({ length: 10 }, (_, n) => ({ offset: n * 4, text: `${n}${n}${n}\n` }));
      await Promise.all(
        parts.flatMap(({ offset, text }) => [
          blobs.append('log', offset, text),
          blobs.append('log', offset, text),
        ]),
      );
      expect(await textOf('log')).toBe(parts.map(({ text }) => text).join(''));
    });

    it('refuses an offset that is none', async () => {
      for (const offset of [-1, 0.5, Number.NaN])
        await expect(blobs.append('log', offset, 'x')).rejects.toMatchObject({
          code: 'VALIDATION_ERROR',
          field: 'offset',
        });
    });

    it('deletes everything below a prefix, and nothing beside it', async () => {
      for (const key of ['logs/a/1', 'logs/a/2/3', 'logs/ab/1', 'logs/b']) await blobs.put(key, 'x');
      await blobs.deletePrefix('logs/a/');
      await blobs.deletePrefix('logs/none/');
      const left = await Promise.all(['logs/a/1', 'logs/a/2/3', 'logs/ab/1', 'logs/b'].map(textOf));
      expect(left).toEqual([undefined, undefined, 'x', 'x']);
      for (const prefix of ['', '/', 'logs', 'logs/../', '../'])
        await expect(blobs.deletePrefix(prefix), prefix).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
      expect(await textOf('logs/b')).toBe('x');
    });

    it('refuses keys that are not plain names between slashes', async () => {
      const wrong = [
        '',
        '/',
        '/etc/passwd',
        'a/',
        'a//b',
        '.',
        '..',
        'a/../b',
        '../a',
        'a/..',
        '.hidden',
        'a/.git/b',
        'a\\b',
        'a\0b',
        'a b',
        'a\nb',
        'ä',
        '~',
        '-rf',
        'a/%2e%2e/b',
        'x'.repeat(201),
        'a/'.repeat(450).concat('a'),
      ];
      for (const key of wrong) {
        const refused = { code: 'VALIDATION_ERROR', field: 'key' };
        await expect(blobs.put(key, 'x'), key).rejects.toMatchObject(refused);
        await expect(blobs.get(key), key).rejects.toMatchObject(refused);
        await expect(blobs.append(key, 0, 'x'), key).rejects.toMatchObject(refused);
        await expect(blobs.delete(key), key).rejects.toMatchObject(refused);
      }
    });
  });
}

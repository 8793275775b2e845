import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { secretStoreContract } from '../../../test/contracts/secret-store.contract.ts';
import { messageOf } from '../../task/errors.ts';
import { createFileSecrets } from './secrets.ts';

const aFolder = (): string => mkdtempSync(join(tmpdir(), 'bgagent-secrets-'));

secretStoreContract({
  name: 'file',
  create: async () => {
    const folder = aFolder();
    return {
      secrets: await createFileSecrets({ file: join(folder, 'secrets.json') }),
      close: async () => rmSync(folder, { recursive: true }),
    };
  },
});

describe('secrets in a file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = aFolder();
    file = join(folder, 'secrets.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const refusal = (opening: Promise<unknown>): Promise<unknown> =>
    opening.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('have a file of mode 0600, made at the first put, and nothing beside it', async () => {
    const secrets = await createFileSecrets({ file });
    expect(existsSync(file)).toBe(false);
    await secrets.put('a', 'one');
    await secrets.put('b', 'two');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['secrets.json']);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ a: 'one', b: 'two' });
  });

  it('survive a restart', async () => {
    await (await createFileSecrets({ file })).put('a', 'one');
    expect(await (await createFileSecrets({ file })).get('a')).toBe('one');
  });

  it.each([0o644, 0o640, 0o620, 0o602])(
    'are refused when others can use the file (mode %o), with the remedy',
    async (mode) => {
      writeFileSync(file, '{"a": "hunter2"}');
      chmodSync(file, mode);
      const error = await refusal(createFileSecrets({ file }));
      expect(error).toMatchObject({ code: 'SECRETS_FILE_REFUSED' });
      expect(messageOf(error)).toContain(`chmod 600 ${file}`);
      expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
    },
  );

  it('are refused from the moment that others can use the file', async () => {
    const secrets = await createFileSecrets({ file });
    await secrets.put('a', 'one');
    chmodSync(file, 0o644);
    const uses = [
      () => secrets.get('a'),
      secrets.list,
      () => secrets.put('b', 'two'),
      () => secrets.delete('a'),
    ];
    for (const use of uses) await expect(use()).rejects.toMatchObject({ code: 'SECRETS_FILE_REFUSED' });
    chmodSync(file, 0o600);
    expect(await secrets.get('a')).toBe('one');
  });

  it.each(['{"a": "hunter2"', '"hunter2"', '["hunter2"]', '{"a": {"b": "hunter2"}}', ''])(
    'are refused when the file is not an object of texts, without quoting it (N2): %s',
    async (text) => {
      writeFileSync(file, text, { mode: 0o600 });
      const error = await refusal(createFileSecrets({ file }));
      expect(error).toMatchObject({ code: 'SECRETS_FILE_REFUSED' });
      expect(messageOf(error)).toContain(file);
      expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
      expect(readFileSync(file, 'utf8')).toBe(text);
    },
  );

  it('come from the environment first, where they can not be changed', async () => {
    writeFileSync(file, '{"a": "from the file", "b": "kept"}', { mode: 0o600 });
    const secrets = await createFileSecrets({ file, environment: { a: 'from outside', c: 'only there' } });
    expect(await Promise.all(['a', 'b', 'c'].map((name) => secrets.get(name)))).toEqual([
      'from outside',
      'kept',
      'only there',
    ]);
    expect(await secrets.list()).toEqual(['a', 'b', 'c']);
    for (const change of [() => secrets.put('a', 'x'), () => secrets.delete('c')])
      await expect(change()).rejects.toMatchObject({ code: 'VALIDATION_ERROR', field: 'name' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ a: 'from the file', b: 'kept' });
  });
});

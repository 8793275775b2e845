import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileSecrets } from '../stores/files/secrets.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import { createSecretMask } from './secret-mask.ts';

describe('the mask of the secret store', () => {
  let folder: string;
  let file: string;
  let secrets: SecretStore;
  let now = 0;
  let warned: unknown[];
  let reads = 0;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bgagent-mask-'));
    file = join(folder, 'secrets.json');
    secrets = await createFileSecrets({ file, environment: { MORE: 'of-the-environment' } });
    await secrets.put('ONE', 'of-the-file-0001');
    now = 0;
    warned = [];
    reads = 0;
  });
  afterEach(() => rm(folder, { recursive: true }));
  const open = () =>
    createSecretMask({
      secrets: {
        get: (name) => secrets.get(name),
        list: () => {
          reads += 1;
          return secrets.list();
        },
      },
      now: () => now,
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: (fields) => void warned.push(fields.event),
        error: () => undefined,
      },
    });

  it('hides all that it holds, and reads it once for many reports', async () => {
    const mask = open();
    const masks = await Promise.all([mask(), mask(), mask()]);
    expect(masks[0]?.text('of-the-file-0001 of-the-environment')).toBe('[redacted] [redacted]');
    expect(reads).toBe(1);
  });

  it('hides what is put later, soon', async () => {
    const mask = open();
    await mask();
    await secrets.put('TWO', 'put-later-0002');
    now += 30_000;
    expect((await mask()).text('put-later-0002')).toBe('[redacted]');
  });

  it('stays when the store can not be read any more, and says so; without it nothing is let through', async () => {
    const mask = open();
    await mask();
    await chmod(file, 0o644);
    now += 30_000;
    expect((await mask()).text('of-the-file-0001')).toBe('[redacted]');
    expect(warned).toEqual(['entry.secret_mask.stale']);
    await expect(open()()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });
});

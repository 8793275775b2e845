import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from './load.ts';
import { defaultSettings } from './settings.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bgagent-config-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

const file = (text: string) => writeFile(join(dataDir, 'config.yaml'), text);
const load = (settings = {}, flags = {}) => loadSettings({ environment: { settings }, dataDir, flags });

describe('settings', () => {
  it('are the defaults without a file', async () => {
    expect(await load()).toEqual(defaultSettings());
  });

  it('come from flags before environment before file before defaults', async () => {
    await file('port: 1\nhost: 0.0.0.0\nlog_level: warn\n');
    expect(await load({ port: 2, log_level: 'debug' }, { port: 3, host: undefined })).toMatchObject({
      port: 3,
      log_level: 'debug',
      host: '0.0.0.0',
      max_active_per_user: 10,
    });
  });

  it.each([
    ['an empty file', ''],
    ['a comment', '# nothing yet\n'],
  ])('are the defaults with %s', async (_what, text) => {
    await file(text);
    expect(await load()).toEqual(defaultSettings());
  });

  it.each([
    ['port: eighty\n', /config\.yaml:1: port: .*number/i],
    ['# first\nhost: 127.0.0.1\n\nprot: 80\n', /config\.yaml:4: no setting "prot"/],
    ['maxActivePerUser: 3\n', /config\.yaml:1: no setting .*did you mean max_active_per_user\?/],
    ['port: [\n', /config\.yaml:\d: /],
    ['port: 1\nport: 2\n', /config\.yaml:2: /],
    ['- port\n', /config\.yaml:1: must be/],
    ['sandbox_egress: example.com\n', /config\.yaml:1: sandbox_egress/],
    ['host: &a x\nlog_level: *a\n', /config\.yaml/],
  ])('name file, line and setting of %j', async (text, message) => {
    await file(text);
    await expect(load()).rejects.toThrow(message);
    await expect(load()).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
  });

  it('name the command line when a flag is wrong', async () => {
    await expect(load({}, { port: -1 })).rejects.toThrow(/the command line: setting port/);
  });
});

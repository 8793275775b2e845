import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApiKey, verifyApiKey } from '../api/api-keys.ts';
import { readClientFile, writeClientFile } from '../config/client-file.ts';
import type { ApiKeyStore } from '../stores/api-key-store.ts';
import { codeOf } from '../task/errors.ts';

/** Who works on a machine of their own: the key that `bgagent up` makes is this user's. */
const LOCAL_USER = 'local';

interface FilesOptions {
  dataDir: string;
  apiUrl: string;
  apiKeys: ApiKeyStore;
  now(): number;
  newId(): string;
}

/**
 * Tells clients and runners of this machine where the platform is: `client.json` (address and an administrator's key, mode
 * 0600) and `platform.json` (the address alone). Keeps the key that is there when it still works. Returns the key.
 */
export async function writePlatformFiles(options: FilesOptions): Promise<string> {
  const { dataDir, apiUrl } = options;
  const kept = (await readClientFile(dataDir))?.api_key;
  const key = kept !== undefined && (await works(options, kept)) ? kept : await makeKey(options);
  await writeClientFile(dataDir, { api_url: apiUrl, api_key: key });
  const file = join(dataDir, 'platform.json');
  await writeFile(`${file}.new`, JSON.stringify({ api_url: apiUrl }), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return key;
}

async function works(options: FilesOptions, key: string): Promise<boolean> {
  try {
    await verifyApiKey(options, key);
    return true;
  } catch (error) {
    if (codeOf(error) === 'UNAUTHORIZED') return false;
    throw error;
  }
}

const makeKey = async (options: FilesOptions): Promise<string> =>
  (
    await createApiKey(options, {
      userId: LOCAL_USER,
      name: 'made by bgagent up',
      scopes: ['admin'],
      expiresAt: null,
    })
  ).key;

import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { BgAgentError } from '../../task/errors.ts';
import { checkedSecretName } from '../secret-names.ts';
import type { SecretStore } from '../secret-store.ts';
import { createTurns } from '../turns.ts';
import { writeAtomically } from './atomic-file.ts';
import { unlessMissing } from './missing.ts';

const PRIVATE = 0o600;
const secretsSchema = z.record(z.string(), z.string());

export interface FileSecretsOptions {
  /** A JSON object of names and values, with mode 0600; made at the first `put`. */
  file: string;
  /** Secrets by name from elsewhere (the environment): they win over the file and can't be changed here. Default: none. */
  environment?: Readonly<Record<string, string>>;
}

/**
 * Secrets in one file that only its owner may read. Throws SECRETS_FILE_REFUSED when others may, or when the file is not what
 * it should be; so does every later call.
 */
export async function createFileSecrets({
  file,
  environment = {},
}: FileSecretsOptions): Promise<SecretStore> {
  const fixed = new Map(Object.entries(environment));
  const inTurn = createTurns();

  const change = (name: string, apply: (secrets: Map<string, string>) => void): Promise<void> => {
    if (fixed.has(checkedSecretName(name)))
      throw new BgAgentError(
        'VALIDATION_ERROR',
        `name: ${name} comes from the environment: change it there`,
        {
          field: 'name',
        },
      );
    return inTurn(file, async () => {
      const secrets = await read(file);
      apply(secrets);
      await writeAtomically(file, `${JSON.stringify(Object.fromEntries(secrets), null, 2)}\n`, PRIVATE);
    });
  };

  await read(file);
  return {
    async get(name) {
      return fixed.get(checkedSecretName(name)) ?? (await read(file)).get(name);
    },
    async put(name, value) {
      await change(name, (secrets) => secrets.set(name, value));
    },
    async delete(name) {
      await change(name, (secrets) => secrets.delete(name));
    },
    async list() {
      return [...new Set([...fixed.keys(), ...(await read(file)).keys()])].sort();
    },
  };
}

async function read(file: string): Promise<Map<string, string>> {
  const handle = await unlessMissing(open(file, 'r'));
  if (!handle) return new Map();
  try {
    await checkPrivate(file, handle);
    return parse(file, await handle.readFile('utf8'));
  } finally {
    await handle.close();
  }
}

async function checkPrivate(file: string, handle: FileHandle): Promise<void> {
  const mode = (await handle.stat()).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new BgAgentError(
    'SECRETS_FILE_REFUSED',
    `${file} has mode ${mode.toString(8).padStart(4, '0')}, so others can read or change it: run \`chmod 600 ${file}\``,
  );
}

/** Errors say nothing of the content: not even its parser's message, which quotes it. */
function parse(file: string, text: string): Map<string, string> {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) content = undefined;
    else throw error;
  }
  const secrets = secretsSchema.safeParse(content);
  if (secrets.success) return new Map(Object.entries(secrets.data));
  throw new BgAgentError('SECRETS_FILE_REFUSED', `${file} is not a JSON object of names and text values`);
}

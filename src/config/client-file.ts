import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { BgAgentError } from '../task/errors.ts';

const clientFileSchema = z.object({ api_url: z.url(), api_key: z.string().min(1) });

/** How clients on this machine find the platform and show who they are. */
export type ClientFile = z.infer<typeof clientFileSchema>;

export const clientFileOf = (dataDir: string): string => join(dataDir, 'client.json');

/** What `bgagent up` wrote; undefined when it never ran with this data folder. Throws VALIDATION_ERROR naming file and field. */
export async function readClientFile(dataDir: string): Promise<ClientFile | undefined> {
  const file = clientFileOf(dataDir);
  const text = await readText(file);
  if (text === undefined) return undefined;
  const result = clientFileSchema.safeParse(parse(text, file));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refused(file, `${issue?.path.join('.') || 'the whole'}: ${issue?.message}`);
}

/** Writes it whole or not at all, readable by its owner only. */
export async function writeClientFile(dataDir: string, content: ClientFile): Promise<void> {
  const file = clientFileOf(dataDir);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}.new`;
  try {
    const handle = await open(fresh, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // An older file of this name may have had another mode.
    await chmod(fresh, 0o600);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw refused(file, `can't be read (${(error as Error).message})`, error);
  }
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text around the fault, which may be the key.
    throw refused(file, 'is not valid JSON', error);
  }
}

const refused = (file: string, reason: string, cause?: unknown): BgAgentError =>
  new BgAgentError(
    'VALIDATION_ERROR',
    `${file}: ${reason}; \`bgagent up\` writes it anew when the file is removed`,
    cause instanceof SyntaxError || cause === undefined ? {} : { cause },
  );

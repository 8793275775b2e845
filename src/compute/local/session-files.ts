import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isUlid } from '../../task/ids.ts';
import type { Bootstrap } from '../../task/protocol.ts';

/** What the local backend keeps of a session, in a folder of its own: it outlives the platform's process. */

const processSchema = z.object({ pid: z.number().int(), startTime: z.string() });
const exitSchema = z.object({ code: z.number().int().nullable(), signal: z.string().nullable() });
type SessionExit = z.infer<typeof exitSchema>;

export interface SessionFiles {
  folder(id: string): string;
  bootstrapFile(id: string): string;
  logFile(id: string): string;
  /** Ids of all sessions that have a folder. */
  ids(): Promise<string[]>;
  create(id: string, bootstrap: Bootstrap): Promise<void>;
  readProcess(id: string): Promise<z.infer<typeof processSchema> | undefined>;
  writeProcess(id: string, value: z.infer<typeof processSchema>): Promise<void>;
  readExit(id: string): Promise<SessionExit | undefined>;
  writeExit(id: string, value: SessionExit): Promise<void>;
  exists(id: string): Promise<boolean>;
  remove(id: string): Promise<void>;
}

export function createSessionFiles(root: string): SessionFiles {
  const folder = (id: string): string => join(root, id);
  const read = async <T>(id: string, name: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    try {
      return schema.parse(JSON.parse(await readFile(join(folder(id), name), 'utf8')));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  };
  // By rename, so that a reader never sees half a file.
  const write = async (id: string, name: string, value: unknown): Promise<void> => {
    const path = join(folder(id), name);
    await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  return {
    folder,
    bootstrapFile: (id) => join(folder(id), 'bootstrap.json'),
    logFile: (id) => join(folder(id), 'runner.log'),
    async ids() {
      const names = await readdir(root).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      });
      return names.filter((name) => isSessionId(name));
    },
    async create(id, bootstrap) {
      await mkdir(folder(id), { recursive: true, mode: 0o700 });
      await write(id, 'bootstrap.json', bootstrap);
    },
    readProcess: (id) => read(id, 'process.json', processSchema),
    writeProcess: (id, value) => write(id, 'process.json', value),
    readExit: (id) => read(id, 'exit.json', exitSchema),
    writeExit: (id, value) => write(id, 'exit.json', value),
    async exists(id) {
      try {
        await (await open(join(folder(id), 'bootstrap.json'))).close();
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    },
    remove: (id) => rm(folder(id), { recursive: true, force: true }),
  };
}

/** `<task id>-<attempt>` */
function isSessionId(name: string): boolean {
  const [taskId = '', attempt = '', ...rest] = name.split('-');
  return isUlid(taskId) && /^\d+$/.test(attempt) && rest.length === 0;
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

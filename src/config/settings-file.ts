import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Document, isMap, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { BgAgentError } from '../task/errors.ts';
import { type Settings, settingsSchema } from './settings.ts';

export const settingsFileOf = (dataDir: string): string => join(dataDir, 'config.yaml');

/**
 * Settings from `<data dir>/config.yaml`; none when there is no file. Throws VALIDATION_ERROR naming file, line and setting.
 */
export async function readSettingsFile(file: string): Promise<Partial<Settings>> {
  const text = await readText(file);
  if (text === undefined) return {};
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken) throw refused(file, lines.linePos(broken.pos[0]).line, broken.message);
  if (document.contents === null) return {};
  if (!isMap(document.contents)) throw refused(file, 1, 'must be `setting: value` lines');
  const lineOf = (name: string): number => lines.linePos(offsetOf(document.contents as YAMLMap, name)).line;
  const result = settingsSchema.partial().safeParse(toValues(document, file));
  if (result.success) return given(result.data, document.contents);
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    throw refused(file, lineOf(name), `no setting "${name}"${suggestion(name)}`, name);
  }
  const name = String(issue?.path[0] ?? '');
  throw refused(file, lineOf(name), `${issue?.path.join('.')}: ${issue?.message}`, name);
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new BgAgentError('VALIDATION_ERROR', `${file}: can't be read (${(error as Error).message})`, {
      cause: error,
    });
  }
}

/** References within the file are refused: a few lines of them can stand for gigabytes. */
function toValues(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw refused(file, 1, error instanceof Error ? error.message : 'can not be read');
  }
}

/** Only what the file says: defaults are not the file's. */
const given = (settings: Partial<Settings>, map: YAMLMap): Partial<Settings> =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => map.has(name)));

function offsetOf(map: YAMLMap, name: string): number {
  const pair = map.items.find(({ key }) => String(key) === name);
  const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
  return range?.[0] ?? 0;
}

const refused = (file: string, line: number, reason: string, field?: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `${file}:${line}: ${reason}`, field === undefined ? {} : { field });

/** The setting that a misspelt name was meant to be, if one is near. */
function suggestion(name: string): string {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const known = Object.keys(settingsSchema.shape);
  const near =
    known.find((candidate) => plain(candidate) === plain(name)) ??
    known.find((candidate) => candidate.includes(name.toLowerCase()) && name.length >= 4);
  return near === undefined ? '; `docs/settings.md` lists them' : `; did you mean ${near}?`;
}

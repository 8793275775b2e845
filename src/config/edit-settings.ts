import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parse, parseDocument } from 'yaml';
import { mergeSettings } from './settings.ts';
import { readSettingsFile } from './settings-file.ts';

/** Settings to write (`name: value as YAML text`) and to take out of the file. */
export interface SettingsEdit {
  set: Readonly<Record<string, string>>;
  unset: readonly string[];
}

/**
 * Changes single settings in `<data dir>/config.yaml` and leaves everything else, comments too, as it is. Throws
 * VALIDATION_ERROR naming the setting before anything is written.
 */
export async function editSettingsFile(file: string, { set, unset }: SettingsEdit): Promise<void> {
  const before = await readSettingsFile(file);
  const values = Object.fromEntries(Object.entries(set).map(([name, text]) => [name, fromYaml(text)]));
  const names = Object.fromEntries(unset.map((name) => [name, before[name as keyof typeof before]]));
  mergeSettings([{ source: file, values: { ...before, ...names, ...values } }]);

  const document = parseDocument(await readFile(file, 'utf8').catch(emptyWhenMissing));
  for (const name of unset) document.delete(name);
  for (const [name, value] of Object.entries(values)) document.set(name, value);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, document.toString(), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** As YAML reads it (numbers, true, null, [lists]); what isn't YAML is text. */
function fromYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

function emptyWhenMissing(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
  throw error;
}

import type { Environment } from './environment.ts';
import { mergeSettings, type Settings } from './settings.ts';
import { readSettingsFile, settingsFileOf } from './settings-file.ts';

/**
 * The settings of the platform on this machine: defaults < `<data dir>/config.yaml` < environment < flags.
 * Throws VALIDATION_ERROR naming the source and the setting.
 */
export async function loadSettings({
  environment,
  dataDir,
  flags = {},
}: {
  environment: Pick<Environment, 'settings'>;
  dataDir: string;
  /** Given on the command line; undefined = not given. */
  flags?: Partial<Settings>;
}): Promise<Settings> {
  const file = settingsFileOf(dataDir);
  return mergeSettings([
    { source: file, values: await readSettingsFile(file) },
    { source: 'the environment', values: environment.settings },
    {
      source: 'the command line',
      values: Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)),
    },
  ]);
}

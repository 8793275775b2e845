import pino, { type Logger } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { Cli } from './cli.ts';

/**
 * The platform's log: JSON Lines on standard error. At a terminal only what a person should look at is shown, unless
 * --verbose asks for all.
 */
export function platformLog(cli: Pick<Cli, 'verbose'>, level: Settings['log_level']): Logger {
  const quiet = process.stderr.isTTY && !cli.verbose && (level === 'debug' || level === 'info');
  return pino({ level: quiet ? 'warn' : level, base: null }, pino.destination({ dest: 2, sync: true }));
}

import { ApiError } from '../api/client.ts';
import { BgAgentError, ERRORS, messageOf } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { cleanLine, cleanText } from './output/untrusted.ts';

/** Says what went wrong and what to do, a line each (more with --verbose), and how the process ends. */
export function reportFailure(cli: Cli, error: unknown): ExitCode {
  // A question at the terminal takes Ctrl-C for itself and says so by its own error.
  if (cli.signal.aborted || (error instanceof Error && error.name === 'AbortError')) {
    cli.note('\nInterrupted.');
    return EXIT.interrupted;
  }
  const known = error instanceof BgAgentError ? error : undefined;
  const requestId = error instanceof ApiError ? error.requestId : null;
  const code = known?.code ?? 'INTERNAL_ERROR';
  const remedy = known
    ? remedyOf(cli, known)
    : 'This is a defect of bgagent: run it again with --verbose and report what it says.';
  cli.printJson({
    error: {
      code,
      message: messageOf(error),
      remedy,
      retryable: known?.retryable ?? false,
      request_id: requestId,
    },
  });
  cli.note(`${cli.paintNote('bad', 'error:')} ${cleanLine(messageOf(error))}`);
  cli.note(`${cli.paintNote('dim', 'to do:')} ${remedy}`);
  if (cli.verbose) {
    if (error instanceof ApiError)
      cli.note(`  code ${code}, status ${error.status}, request ${requestId ?? 'unknown'}`);
    for (const line of causes(error)) cli.note(`  ${line}`);
  }
  return exitOf(error);
}

function exitOf(error: unknown): ExitCode {
  if (!(error instanceof BgAgentError)) return EXIT.failed;
  if (error.code === 'UNAUTHORIZED' || error.code === 'FORBIDDEN') return EXIT.unauthorized;
  if (error instanceof ApiError) return EXIT.failed;
  if (error.code === 'SERVICE_UNAVAILABLE') return EXIT.unreachable;
  return error.code === 'VALIDATION_ERROR' ? EXIT.usage : EXIT.failed;
}

function remedyOf({ command, program }: Cli, error: BgAgentError): string {
  const here = !(error instanceof ApiError);
  if (here && error.code === 'VALIDATION_ERROR') return `\`${command} --help\` shows how it is used.`;
  if (here && error.code === 'SERVICE_UNAVAILABLE') {
    return `Start the platform with \`${program} up\`, or name another with --api-url and --api-key.`;
  }
  const wait = error.retryAfterSeconds === undefined ? '' : ` (in ${error.retryAfterSeconds} s)`;
  return `${typeable(ERRORS[error.code].remedy, program)}${wait}`;
}

/** The catalogue names commands as they are installed. */
const typeable = (remedy: string, program: string): string => remedy.replaceAll('`bgagent ', `\`${program} `);

/** The stack of the error and of what caused it, safe to print. */
function causes(error: unknown, depth = 0): string[] {
  if (!(error instanceof Error) || depth > 4) return [];
  const lines = cleanText(error.stack ?? error.message).split('\n');
  return [...lines, ...(error.cause === undefined ? [] : ['caused by', ...causes(error.cause, depth + 1)])];
}

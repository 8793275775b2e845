import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { settingsSchema } from '../src/config/settings.ts';
import { ERRORS, type ErrorCategory } from '../src/task/errors.ts';
import { EVENTS } from '../src/task/events.ts';

/**
 * `npm run docs`: the pages that are lists of what the code says, written from the code. `-- --check` writes nothing and fails
 * when a page is out of date.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const GENERATED = '<!-- Written by `npm run docs`: change the source instead. -->';

/** What each page should be, by its path from the root. */
export const generatedPages = (): Readonly<Record<string, string>> => ({
  'docs/event-types.md': page(eventsPage()),
  'docs/errors.md': page(errorsPage()),
  'docs/settings.md': page(settingsPage()),
});

const page = (lines: readonly string[]): string => `${GENERATED}\n${lines.join('\n')}\n`;

function eventsPage(): string[] {
  const rows = Object.entries(EVENTS).map(([type, { emitter, summary, metadata }]) =>
    row(`\`${type}\``, emitter, summary, fieldsOf(metadata)),
  );
  return [
    '# Events',
    '',
    'Everything that happens to a task is an event: appended, never changed. Read them with `bgagent events <id>`,',
    'GET /v1/tasks/{id}/events, or as they happen from GET /v1/tasks/{id}/stream. Ids grow in the order of writing, so a reader',
    'that goes on from the last id it saw misses nothing. A task has exactly one of `task_completed`, `task_failed`,',
    '`task_cancelled` and `task_timed_out`, it is the last, and it says what the status says.',
    '',
    ...table(['event', 'from', 'what it says', 'metadata'], rows),
  ];
}

const CATEGORIES: Readonly<Record<ErrorCategory, string>> = {
  input: 'What was asked for',
  auth: 'Who asks',
  conflict: 'It happened before, or something else did',
  limit: 'Limits',
  repository: 'The repository',
  agent: 'The agent',
  compute: 'The place to run',
  platform: 'The platform',
};

function errorsPage(): string[] {
  const sections = Object.entries(CATEGORIES).flatMap(([category, title]) => [
    `## ${title}`,
    '',
    ...Object.entries(ERRORS)
      .filter(([, entry]) => entry.category === category)
      .flatMap(([code, entry]) => [
        `### ${code}`,
        '',
        `${entry.title}. **What to do:** ${entry.remedy} ${entry.retryable ? 'A retry can help.' : 'A retry does not help.'}`,
        '',
      ]),
  ]);
  return [
    '# Errors',
    '',
    'Every failure has one of these codes: in `error.code` of an answer of the API, in `error_classification.errorClass` of a task',
    'that failed, at the end of a line of the command line. The message beside it says what happened this time.',
    '',
    ...sections.slice(0, -1),
  ];
}

function settingsPage(): string[] {
  const rows = Object.entries(jsonSchema(settingsSchema).properties ?? {}).map(([name, schema]) =>
    row(`\`${name}\``, typeOf(schema), `\`${JSON.stringify(schema.default)}\``, schema.description ?? ''),
  );
  return [
    '# Settings',
    '',
    'Each is also a variable of the environment: `BGAGENT_` and the name in capitals. [config](config.md) says where else settings',
    'come from and which one wins. Names end in their unit: `_s` seconds, `_mb` megabytes, `_usd` US dollars.',
    '',
    ...table(['setting', 'values', 'default', 'what it does'], rows),
  ];
}

const table = (heads: readonly string[], rows: readonly string[]): string[] => [
  row(...heads),
  `|${'---|'.repeat(heads.length)}`,
  ...rows,
];

const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

/** What is used of a JSON Schema. */
interface JsonSchema {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  enum?: unknown[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
}

const jsonSchema = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;

const fieldsOf = (schema: z.ZodType): string =>
  Object.entries(jsonSchema(schema).properties ?? {})
    .map(
      ([name, field]) => `\`${name}\` ${typeOf(field)}${field.description ? ` (${field.description})` : ''}`,
    )
    .join(', ');

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join('/');
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}s`;
  const types = [schema.type ?? 'anything'].flat().map((type) => (type === 'integer' ? 'number' : type));
  return `${types.join(' or ')}${rangeOf(schema)}`;
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  const ends = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum === undefined) return ends ? ` up to ${maximum}` : '';
  return ends ? ` ${minimum} to ${maximum}` : ` from ${minimum}`;
}

function main(args: readonly string[]): void {
  const check = args.includes('--check');
  const stale = Object.entries(generatedPages()).filter(([path, text]) => read(path) !== text);
  for (const [path, text] of stale) {
    if (!check) writeFileSync(join(ROOT, path), text);
    console.log(`${path} ${check ? 'is out of date: run `npm run docs`' : 'written'}`);
  }
  if (check && stale.length > 0) process.exitCode = 1;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

// Not `import.meta.main`: bin/run.js imports the script, with its arguments in place.
if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));

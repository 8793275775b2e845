import { expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';
import { commandNamed, createProgram } from './program.ts';

it.each([
  [['list'], 'list'],
  [['--output', 'json', 'list', '--limit', '3'], 'list'],
  [['--output=json', 'watch', 'latest'], 'watch'],
  [['--api-key', 'list', 'status', 'x'], 'status'],
  [['help', 'submit'], 'submit'],
  [['--verbose'], undefined],
  [[], undefined],
])('finds the command in %j', (args, expected) => {
  expect(commandNamed(args)).toBe(expected);
});

it('has every command once, each with a summary in lower case, and each loads', async () => {
  const program = await createProgram(COMMANDS, {
    version: '0',
    act: () => async () => undefined,
    load: () => true,
    write: () => undefined,
  });
  const names = program.commands.map((command) => command.name());
  expect(new Set(names).size).toBe(names.length);
  for (const command of program.commands) expect(command.description()).toMatch(/^[a-z].*[^.]$/);
  for (const command of program.commands.flatMap(({ commands, options }) => [...commands, ...options])) {
    expect(command.description, String(command)).not.toBe('');
  }
});

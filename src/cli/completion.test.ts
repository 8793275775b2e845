import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readEnvironment } from '../config/environment.ts';
import { runCli } from './run.ts';

/** The scripts, in the shells that this machine has. */

const folder = mkdtempSync(join(tmpdir(), 'bgagent-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function scriptFor(shell: string): Promise<string> {
  let script = '';
  const sink = { write: (text: string) => (script += text) };
  await runCli({
    args: ['completion', shell],
    environment: async () => readEnvironment({}),
    stdout: sink,
    stderr: sink,
    signal: new AbortController().signal,
    now: () => 0,
    version: '0.0.0',
  });
  const file = join(folder, shell);
  writeFileSync(file, script);
  return file;
}

const CASES: [typed: string[], among: string[], notAmong: string][] = [
  [['st'], ['status'], 'list'],
  [['repo', 'se'], ['set'], 'add'],
  [['submit', '--max'], ['--max-turns', '--max-budget'], '--model'],
  [['repo', 'add', '--out'], ['--output'], '--version'],
];

const COMPLETERS: Record<string, (script: string, typed: string[]) => string[]> = {
  bash: (script, typed) => [
    '-c',
    `source "$0"; COMP_WORDS=(bgagent "$@"); COMP_CWORD=$#; _bgagent; printf '%s\\n' "\${COMPREPLY[@]}"`,
    script,
    ...typed,
  ],
  fish: (script, typed) => ['-N', '-c', `source ${script}; complete -C "bgagent ${typed.join(' ')}"`],
};

describe.each(Object.entries(COMPLETERS))('completion for %s', (shell, command) => {
  it('offers the words that fit the place', async ({ skip }) => {
    if (!isInstalled(shell)) skip(`${shell} is not installed here`);
    const script = await scriptFor(shell);
    for (const [typed, among, notAmong] of CASES) {
      const output = execFileSync(shell, command(script, typed), {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: folder },
      });
      const offered = output.split('\n').map((line) => line.split('\t')[0] ?? '');
      expect(offered, typed.join(' ')).toEqual(expect.arrayContaining(among));
      expect(offered, typed.join(' ')).not.toContain(notAmong);
    }
  });
});

it('for zsh is a script that zsh can read', async ({ skip }) => {
  if (!isInstalled('zsh')) skip('zsh is not installed here');
  execFileSync('zsh', ['-n', await scriptFor('zsh')]);
});

function isInstalled(shell: string): boolean {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

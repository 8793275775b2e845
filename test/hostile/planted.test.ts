import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Task } from '../../src/task/task.ts';
import { call, type RunningPlatform, startUp } from '../e2e/platform.ts';
import { createModelServer, type ModelServer } from '../fakes/model-server.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { type GitServer, startGitServer } from '../fixtures/git-server.ts';
import { claudeMissing } from '../fixtures/installed-agents.ts';
import { sandboxMissing } from '../fixtures/runner.ts';

const missing = await sandboxMissing();
const noClaude = claudeMissing();
if (missing === undefined && noClaude !== undefined)
  process.stderr.write(`planted secrets: without the agent claude: ${noClaude}\n`);

const marker = (place: string): string => `plant-${place}-${'x7Q2'.repeat(4)}`;
/** A secret in every place where one can be, by the name of the place. */
const PLANTED: Record<string, string> = {
  environment: marker('environment'),
  'secret of the environment': marker('secret-environment'),
  'secrets.json': marker('secrets-file'),
  'forge credential': marker('forge'),
  'model key': marker('model'),
  'settings file': marker('settings'),
  '.netrc': marker('netrc'),
  '.git-credentials': marker('git-credentials'),
  '.ssh/id_ed25519': marker('ssh'),
  '.aws/credentials': marker('aws'),
  '.npmrc': marker('npmrc'),
};
/** So that a repository can hold it, where nothing that looks for it finds it. */
const spaced = (text: string): string => [...text].join(' ');
const backwards = (text: string): string => [...text].reverse().join('');
/** Files of the platform that hold secrets because that's what they are for. */
const KEEPERS = ['secrets.json', 'client.json', 'bootstrap.json', 'config.yaml'];
const ELSEWHERE = marker('workspace');

/** A whole platform with its sandbox; tasks that succeed, fail and are cancelled, each looking everywhere (N2). */
describe.skipIf(missing)(`planted secrets${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let folder: string;
  let server: GitServer;
  let platform: RunningPlatform;
  let model: ModelServer;
  const tasks: Task[] = [];
  const answers: string[] = [];
  const processes: string[] = [];
  const logs: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bgagent-planted-'));
    const [data, home] = [join(folder, 'data'), join(folder, 'home')];
    const put = (path: string, text: string): void => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { mode: 0o600 });
    };
    for (const [place, secret] of Object.entries(PLANTED))
      if (place.startsWith('.')) put(join(home, place), `password ${secret}\n`);
    put(
      join(data, 'secrets.json'),
      JSON.stringify({
        FORGE: `octo:${PLANTED['forge credential']}`,
        ANTHROPIC_API_KEY: PLANTED['model key'],
        OTHER: PLANTED['secrets.json'],
      }),
    );
    put(join(data, 'config.yaml'), `# ${PLANTED['settings file']}\nlog_level: debug\n`);
    bareRepo(folder, { 'README.md': '# Hello\n', 'known.txt': spaced(PLANTED['secrets.json'] ?? '') });
    const credentials = { username: 'octo', password: PLANTED['forge credential'] ?? '' };
    server = await startGitServer(folder, { credentials });
    model = await createModelServer({
      answer: ({ text }) =>
        text.includes('"tool_result"')
          ? { text: 'I have looked.' }
          : { tools: [{ name: 'Bash', input: { command: looking(folder, home), description: 'Looks' } }] },
    });
    platform = await startUp(data, {
      HOME: home,
      ANTHROPIC_BASE_URL: model.url,
      GITHUB_TOKEN: PLANTED.environment ?? '',
      BGAGENT_SECRET_MORE: PLANTED['secret of the environment'] ?? '',
    });
    PLANTED['client.json'] = platform.apiKey;
    const repo = `${server.url}/hello.git`;
    await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
      agent: 'command',
      agent_command: looksEverywhere(folder, home),
      token_secret: 'FORGE',
    });
    const watch = setInterval(() => {
      processes.push(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }));
      collectTokens(data);
    }, 50);
    try {
      const waiting = await submit(repo, 'WAIT until you are stopped');
      await until(waiting, ({ status }) => status === 'RUNNING');
      await vi.waitFor(
        async () => expect(await answer(`/v1/tasks/${waiting}/logs`)).toContain('looked'),
        WITHIN,
      );
      for (const what of ['Say hello', 'FAIL at it'])
        tasks.push(await until(await submit(repo, what), isOver));
      await call(platform, 'DELETE', `/v1/tasks/${waiting}`);
      tasks.push(await until(waiting, isOver));
      if (noClaude === undefined) {
        await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, { agent: 'claude' });
        tasks.push(await until(await submit(repo, 'Look around'), isOver));
      }
    } finally {
      clearInterval(watch);
    }
    for (const { task_id } of tasks) {
      for (const part of ['', '/events?limit=100', '/diff'])
        answers.push(await answer(`/v1/tasks/${task_id}${part}`));
      logs.push(await answer(`/v1/tasks/${task_id}/logs`));
    }
    for (const path of [
      '/v1/tasks',
      '/v1/repos',
      '/v1/fleet',
      '/v1/pending',
      '/v1/api-keys',
      '/healthz',
      '/readyz',
    ])
      answers.push(await answer(path));
  }, 60_000);

  afterAll(async () => {
    await platform?.end('SIGTERM');
    await server?.close();
    await model?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const WITHIN = { timeout: 25_000, interval: 50 };
  const isOver = ({ status }: Task): boolean => ['COMPLETED', 'FAILED', 'CANCELLED'].includes(status);
  const submit = async (repo: string, task_description: string): Promise<string> =>
    (await call<Task>(platform, 'POST', '/v1/tasks', { repo, task_description })).data.task_id;
  const until = (id: string, holds: (task: Task) => boolean): Promise<Task> =>
    vi.waitFor(async () => {
      const { data } = await call<Task>(platform, 'GET', `/v1/tasks/${id}`);
      if (!holds(data)) throw new Error(`${data.status}: ${data.error_message}`);
      return data;
    }, WITHIN);
  const answer = async (path: string): Promise<string> =>
    (await fetch(`${platform.apiUrl}${path}`, { headers: { 'x-api-key': platform.apiKey } })).text();

  function collectTokens(data: string): void {
    for (const { path, text } of filesBelow(join(data, 'sessions')))
      if (basename(path) === 'bootstrap.json') {
        const token = /"token":\s*"([^"]+)"/.exec(text)?.[1];
        if (token !== undefined) PLANTED[`task token ${basename(dirname(path))}`] = token;
      }
  }

  /** Names of the places whose secret shows up, as it is, backwards, or in base64. */
  const foundIn = (text: string): string[] =>
    Object.entries(PLANTED).flatMap(([place, secret]) =>
      [secret, backwards(secret), Buffer.from(secret).toString('base64').slice(0, -4)].some((form) =>
        text.includes(form),
      )
        ? [place]
        : [],
    );

  it('are needed: tasks succeed, fail and are cancelled with them', () => {
    expect(tasks.map(({ status }) => status)).toEqual([
      'COMPLETED',
      'FAILED',
      'CANCELLED',
      ...(noClaude === undefined ? ['COMPLETED'] : []),
    ]);
    // One of each task at least.
    expect(
      Object.keys(PLANTED).filter((place) => place.startsWith('task token')).length,
    ).toBeGreaterThanOrEqual(3);
    expect(foundIn(readFileSync(join(folder, 'data/secrets.json'), 'utf8'))).toContain('model key');
  });

  it('are not in what an agent sees of the machine', () => {
    for (const log of logs) {
      expect(log).toContain('looked');
      expect(foundIn(log)).toEqual([]);
    }
    // What one task has in its home only that task finds: they do look.
    const finds = logs.map((log) => log.includes(backwards(ELSEWHERE)));
    expect(finds.slice(0, 3)).toEqual([false, false, true]);
  });

  it('are hidden when a repository knows one that the run was never given', () => {
    for (const log of logs.slice(0, 3)) expect(log).toContain('known: [redacted]');
  });

  it.skipIf(noClaude)(
    `are in nothing that Claude sends to its model${noClaude ? ` (skipped: ${noClaude})` : ''}`,
    () => {
      const sent = model.requests.map(({ text }) => text).join('\n');
      expect(sent).toContain('looked');
      expect(foundIn(sent)).toEqual([]);
    },
  );

  it('are in no answer of the API', () => expect(foundIn(answers.join('\n'))).toEqual([]));

  it('are in no list of processes', () => expect(foundIn(processes.join('\n'))).toEqual([]));

  it('are in nothing that the platform prints', () => expect(foundIn(platform.log())).toEqual([]));

  it('are in no file of the platform but those for secrets: database, blobs, logs, mirrors', () => {
    const files = filesBelow(join(folder, 'data'));
    expect(files.map(({ path }) => basename(path))).toContain('bgagent.db');
    const found = files
      .filter(({ path }) => !KEEPERS.includes(basename(path)))
      .flatMap(({ path, text }) => foundIn(text).map((place) => `${place} in ${path}`));
    expect(found).toEqual([]);
  });

  it('are in no commit, and in no request to the forge but its own header', () => {
    const commits = git(join(folder, 'hello.git'), 'log', '--all', '--patch', '--format=fuller');
    expect(commits).toContain('Say hello');
    expect(foundIn(commits)).toEqual([]);
    expect(foundIn(server.requests.join('\n'))).toEqual([]);
  });
});

/** Prints all that it gets hold of, backwards, so that nothing hides it on the way. */
const looking = (folder: string, home: string): string =>
  [
    '{ env',
    'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr "\\0" "\\n"',
    'git config --list --show-origin; git remote -v',
    'printf "protocol=http\\nhost=127.0.0.1\\n\\n" | GIT_TERMINAL_PROMPT=0 git credential fill',
    `cat ${Object.keys(PLANTED)
      .filter((name) => name.startsWith('.'))
      .map((name) => `${home}/${name}`)
      .join(' ')}`,
    `cat ${folder}/data/*.json ${folder}/data/*.yaml ${folder}/data/sessions/*/*; grep -rhs plant- ${folder} /home /run /var/tmp`,
    '} 2>&1 | rev',
    'echo looked; echo x > x.txt',
  ].join('\n');

const looksEverywhere = (folder: string, home: string): string =>
  [
    `grep -qs WAIT "$BGAGENT_PROMPT_FILE" && echo ${backwards(ELSEWHERE)} | rev > "$HOME/mine.txt"`,
    'echo "known: $(tr -d " " < known.txt)"',
    looking(folder, home),
    'grep -qs FAIL "$BGAGENT_PROMPT_FILE" && exit 1',
    'grep -qs WAIT "$BGAGENT_PROMPT_FILE" && sleep 100',
    'true',
  ].join('\n');

function filesBelow(folder: string): { path: string; text: string }[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isFile() ? [{ path, text: readFileSync(path, 'latin1') }] : [];
    });
  } catch {
    // Removed meanwhile.
    return [];
  }
}

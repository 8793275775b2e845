import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { APP_PERMISSIONS, type GitHubFake, startGitHub } from '../../test/fakes/github/github.ts';
import { ROOT } from '../../test/source-tree.ts';
import { readEnvironment } from '../config/environment.ts';
import { runCli } from './run.ts';

let folder: string;
let github: GitHubFake;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-setup-'));
  github = await startGitHub();
  github.addRepo('octo/hello');
});
afterEach(async () => {
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

const variables = () => ({ BGAGENT_DATA_DIR: folder, BGAGENT_GITHUB_API_URL: github.apiUrl });
const secrets = async (): Promise<Record<string, string>> =>
  JSON.parse(await readFile(join(folder, 'secrets.json'), 'utf8'));

/** As a person's shell runs it: the token comes by standard input only. */
async function setup(token: string, ...args: string[]) {
  const child = spawn(process.execPath, [join(ROOT, 'bin/bgagent.js'), 'github', 'setup', ...args], {
    env: { PATH: process.env.PATH, HOME: folder, ...variables() },
  });
  child.stdin.end(`${token}\n`);
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { out, err, exit: await closed };
}

/** In this process: standard input is nobody's here. */
async function bgagent(args: readonly string[], onNote: (text: string) => void = () => undefined) {
  let out = '';
  const exit = await runCli({
    args,
    environment: async () => readEnvironment({ PATH: process.env.PATH, HOME: folder, ...variables() }),
    stdout: { write: (piece) => (out += piece) },
    stderr: { write: onNote },
    signal: new AbortController().signal,
    now: Date.now,
    version: '0.0.0',
  });
  return { out, exit };
}

describe('github setup with a token', () => {
  it('stores one that may do what is needed, where only its owner reads it', async () => {
    const token = github.addToken();
    const { out, err, exit } = await setup(token, '--repo', 'octo/hello');
    expect(out).toMatch(/^Stored the classic token of octo\.\nok .*repositories/);
    expect(exit).toBe(0);
    expect((await secrets()).GITHUB_TOKEN).toBe(token);
    expect((await stat(join(folder, 'secrets.json'))).mode & 0o777).toBe(0o600);
    expect(out + err).not.toContain(token);
  });

  it('says exactly what is missing, and keeps the token: its rights can be changed', async () => {
    const token = github.addFineGrainedToken({ permissions: { contents: 'read', issues: 'read' } });
    const { out, exit } = await setup(token, '--repo', 'octo/hello');
    expect(out).toContain(
      'FAIL  clone and push octo/hello: the token lacks the permission "Contents: Read and write"',
    );
    expect(out).toContain(
      'FAIL  open pull requests: the permission "Pull requests: Read and write" is missing',
    );
    expect(out).toContain('ok    read issues');
    expect(exit).toBe(1);
    expect(github.repo('octo/hello').issues.size).toBe(0);
    expect((await secrets()).GITHUB_TOKEN).toBe(token);
  });

  it('stores nothing that GitHub refuses, and nothing that is no token', async () => {
    const revoked = github.addToken();
    github.revokeAll();
    const { err, exit } = await setup(revoked);
    expect(err).toContain('GitHub refuses the credentials');
    expect(exit).toBe(1);
    expect((await setup('two words')).err).toContain('standard input');
    await expect(secrets()).rejects.toThrow();
  });
});

describe('github setup with an App', () => {
  /** What the person's browser does. */
  async function browse(page: string): Promise<void> {
    const html = await (await fetch(page)).text();
    const unescaped = (name: RegExp) =>
      (name.exec(html)?.[1] ?? '').replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    const answer = await fetch(unescaped(/action="([^"]*)"/), {
      method: 'POST',
      body: new URLSearchParams({ manifest: unescaped(/value="([^"]*)"/) }),
      redirect: 'manual',
    });
    const back = answer.headers.get('location') ?? '';
    const app = github.world.apps[0];
    if (app) github.install(app);
    const forged = new URL(back);
    forged.searchParams.set('state', 'guessed');
    expect((await fetch(forged)).status).toBe(400);
    expect((await fetch(back)).status).toBe(200);
  }

  it('leads through the pages, stores id and key, and sees where it is installed', async () => {
    let browsing: Promise<void> | undefined;
    const { out, exit } = await bgagent(['github', 'setup', '--app', '--repo', 'octo/hello'], (note) => {
      const page = /http:\/\/127\.0\.0\.1:\d+/.exec(note)?.[0];
      if (page !== undefined) browsing ??= browse(page);
    });
    await browsing;
    expect(out).toContain('The GitHub App bgagent');
    expect(out).toContain('ok    octo: all repositories');
    expect(out).toContain('ok    octo/hello: installed');
    expect(exit).toBe(0);
    const [app] = github.world.apps;
    expect(app?.permissions).toEqual({ ...APP_PERMISSIONS, metadata: 'read' });
    expect(await readFile(join(folder, 'config.yaml'), 'utf8')).toContain(`github_app_id: ${app?.id}`);
    expect((await secrets()).GITHUB_APP_PRIVATE_KEY).toBe(app?.privateKey);
    expect(out).not.toContain('PRIVATE KEY');

    const doctor = await bgagent(['doctor']);
    expect(doctor.out).toMatch(/ok {4}github +App bgagent on octo: all repositories/);
    for (const installation of github.world.installations) installation.permissions = { contents: 'write' };
    expect((await bgagent(['doctor'])).out).toMatch(
      /FAIL {2}github .*lacks "Pull requests: Read and write" and "Issues: Read and write"/,
    );
  });
});

describe('doctor', () => {
  it('says that GitHub is not set up, and that a token ends soon', async () => {
    expect((await bgagent(['doctor'])).out).toMatch(/ok {4}github +not set up/);
    const expires = new Date(Date.now() + 5.5 * 86_400_000)
      .toISOString()
      .replace('T', ' ')
      .replace(/\..*/, ' UTC');
    const { exit } = await setup(github.addToken({ expires }));
    expect(exit).toBe(0);
    expect((await bgagent(['doctor'])).out).toMatch(
      /warn {2}github +the classic token of octo, ends in 5 days/,
    );
  });

  it('says that GitHub refuses what is stored', async () => {
    await setup(github.addToken());
    github.revokeAll();
    expect((await bgagent(['doctor'])).out).toMatch(/FAIL {2}github +GitHub refuses the credentials/);
  });
});

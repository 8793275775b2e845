import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The runner as one file, `<folder>/runner.js`, for places that have Node and git but not this package. The sandbox's helper
 * programs lie beside it, where the library looks for them.
 */
export async function bundleRunner(folder: string): Promise<string> {
  const file = join(folder, 'runner.js');
  const bundle = await rolldown({
    input: join(root, 'src/runner/main.ts'),
    platform: 'node',
    // Only for Windows, and not installed; and the agent's SDK, which is found beside the file where it's installed.
    external: ['@microsoft/mxc-sdk', '@anthropic-ai/claude-agent-sdk'],
    logLevel: 'warn',
  });
  await bundle.write({
    file,
    format: 'esm',
    codeSplitting: false,
    minify: { mangle: false, compress: true, codegen: true },
  });
  await bundle.close();
  const vendor = join(root, 'node_modules/@anthropic-ai/sandbox-runtime/vendor/seccomp');
  if (existsSync(vendor))
    cpSync(vendor, join(folder, 'vendor/seccomp'), {
      recursive: true,
      filter: (path) => !path.endsWith('.ts'),
    });
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleRunner(join(root, 'dist'));

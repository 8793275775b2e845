// `node bin/run.js <script> [arguments]`: the scripts of package.json, on the right Node whatever `node` is here.
import { resolve } from 'node:path';
import { runPinned } from './pinned-node.js';

const [script, ...args] = process.argv.slice(2);
await runPinned(resolve(script), args);

#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runPinned } from './pinned-node.js';

// A clone runs the TypeScript as it is; the package ships only what was built from it.
const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
await runPinned(existsSync(source) ? source : built, process.argv.slice(2));

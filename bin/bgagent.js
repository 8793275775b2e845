#!/usr/bin/env node
import './require-node.js';
import { existsSync } from 'node:fs';

// A clone runs the TypeScript as it is; the package ships only what was built from it.
const source = new URL('../src/cli/main.ts', import.meta.url);
const built = new URL('../dist/cli/main.js', import.meta.url);
await import(existsSync(source) ? source.href : built.href);

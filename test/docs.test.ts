import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatedPages } from '../scripts/docs.ts';
import { settingsSchema } from '../src/config/settings.ts';
import { ERRORS } from '../src/task/errors.ts';
import { EVENTS } from '../src/task/events.ts';
import { ROOT } from './source-tree.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const namesIn = (path: string, pattern: RegExp): string[] =>
  [...read(path).matchAll(pattern)].map(([, name = '']) => name).sort();

describe('the generated pages', () => {
  it.each(Object.keys(generatedPages()))('%s is what `npm run docs` writes', (path) => {
    expect(read(path) === generatedPages()[path], 'run `npm run docs`').toBe(true);
  });

  it('have a heading for every error code, and none of a code that is gone (T7)', () => {
    expect(namesIn('docs/errors.md', /^### (\S+)$/gm)).toEqual(Object.keys(ERRORS).sort());
  });

  it('have a row for every event and every setting, and none that is gone', () => {
    const row = /^\| `([^`]+)` \|/gm;
    expect(namesIn('docs/event-types.md', row)).toEqual(Object.keys(EVENTS).sort());
    expect(namesIn('docs/settings.md', row)).toEqual(Object.keys(settingsSchema.shape).sort());
  });

  it('say what every setting does', () => {
    expect(read('docs/settings.md')).not.toMatch(/\| {2}\|$/m);
  });
});

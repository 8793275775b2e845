import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWorkflowFiles } from './workflow-files.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/own-workflow/update-readme.yaml', import.meta.url));

describe('files of workflows', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bgagent-workflows-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are read from any path, or below the data folder', async () => {
    await writeFile(join(folder, 'own.yaml'), 'id: a/b-v1\nversion: 1.0.0\nsummary: x\nprompt: y\n');
    const [example, own] = await readWorkflowFiles([EXAMPLE, 'own.yaml'], folder);
    expect(example).toMatchObject({ id: 'docs/update-readme-v1', steps: [], needs: [], read_only: false });
    expect(own).toMatchObject({
      id: 'a/b-v1',
      outcome: 'pull_request',
      steps: ['setup', 'verify', 'repair'],
    });
  });

  it.each([
    ['is not there', undefined, 'no such file'],
    ['is no YAML', 'id: [', 'own.yaml: '],
    ['has references', 'a: &a x\nb: *a', 'own.yaml: '],
    ['lacks a field', 'id: a/b-v1\nversion: 1.0.0\nsummary: x\n', 'own.yaml: prompt: '],
    ['has one that is not known', 'id: a/b-v1\nversion: 1.0.0\nsummary: x\nprompt: y\npush: main\n', 'push'],
    ['is a list', '[]', 'own.yaml: '],
  ])('are refused when one %s, naming it', async (_what, text, expected) => {
    if (text !== undefined) await writeFile(join(folder, 'own.yaml'), text);
    await expect(readWorkflowFiles(['own.yaml'], folder)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      field: 'workflow_files',
      message: expect.stringContaining(expected),
    });
  });
});

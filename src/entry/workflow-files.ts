import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { BgAgentError, messageOf } from '../task/errors.ts';
import { type Workflow, workflowSchema } from '../task/workflows.ts';

/**
 * The workflows of a deployment: one YAML file each, from absolute paths or below the data folder. Throws VALIDATION_ERROR naming
 * the file and the field.
 */
export const readWorkflowFiles = (files: readonly string[], dataDir: string): Promise<Workflow[]> =>
  Promise.all(files.map((file) => readWorkflow(isAbsolute(file) ? file : join(dataDir, file))));

async function readWorkflow(file: string): Promise<Workflow> {
  let values: unknown;
  try {
    const text = await readFile(file, 'utf8');
    const { parse } = await import('yaml');
    values = parse(text, { prettyErrors: true, maxAliasCount: 0 });
  } catch (error) {
    throw refused(file, messageOf(error));
  }
  const result = workflowSchema.safeParse(values);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refused(file, [issue?.path.join('.'), issue?.message].filter(Boolean).join(': '));
}

const refused = (file: string, why: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `workflow_files: ${file}: ${why}`, { field: 'workflow_files' });

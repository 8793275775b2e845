import type { Client } from '../api/client.ts';
import { BgAgentError } from '../task/errors.ts';
import { isUlid } from '../task/ids.ts';

const PAGE = 100;

/**
 * The full id that a person means by `latest`, a full id, or the start of one that fits one task only. Ids begin with
 * their time, so the search ends where older tasks can't fit any more. Throws TASK_NOT_FOUND, VALIDATION_ERROR.
 */
export async function findTaskId(client: Client, reference: string): Promise<string> {
  const wanted = reference.toUpperCase();
  if (isUlid(wanted)) return wanted;
  if (wanted === 'LATEST') {
    const { data } = await client.listTasks({ limit: 1 });
    if (data[0]) return data[0].task_id;
    throw new BgAgentError('TASK_NOT_FOUND', 'there is no task yet');
  }
  if (!/^[0-9A-HJKMNP-TV-Z]{1,25}$/.test(wanted)) {
    throw new BgAgentError('VALIDATION_ERROR', `"${reference}" is no task id, start of one, or "latest"`, {
      field: 'id',
    });
  }

  const found: string[] = [];
  let token: string | null = null;
  do {
    const page = await client.listTasks({ limit: PAGE, ...(token === null ? {} : { next_token: token }) });
    found.push(...page.data.map(({ task_id }) => task_id).filter((id) => id.startsWith(wanted)));
    const oldest = page.data.at(-1)?.task_id ?? '';
    token = oldest < wanted ? null : page.pagination.next_token;
  } while (token !== null && found.length < 2);

  const [only, another] = found;
  if (only === undefined) throw new BgAgentError('TASK_NOT_FOUND', `no task of yours begins with ${wanted}`);
  if (another !== undefined) {
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `${wanted} fits several tasks (${only}, ${another}, …); type more of it`,
      {
        field: 'id',
      },
    );
  }
  return only;
}

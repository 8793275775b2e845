import { hasStatus } from './failures.ts';
import type { Session } from './sessions.ts';

/** What people are called who may push: custom roles are told as the one that they are made of. */
const MAY_PUSH = new Set(['admin', 'write']);

/** A name that GitHub gives to people; bots have brackets. */
const LOGIN = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/;

/** Whether the person may push to the repository. False for a stranger, and for a name that nobody has. */
export async function mayPush({ client, owner, repo }: Session, login: string): Promise<boolean> {
  if (!LOGIN.test(login)) return false;
  try {
    const { data } = await client.request('GET /repos/{owner}/{repo}/collaborators/{username}/permission', {
      owner,
      repo,
      username: login,
    });
    return MAY_PUSH.has(data.permission);
  } catch (error) {
    if (hasStatus(error, 404)) return false;
    throw error;
  }
}

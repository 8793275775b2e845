import { namePermission } from './failures.ts';

/** Whether a personal token may push: its words, and what git's own server says. */

const CONTENTS = namePermission('contents', 'write');

export interface PushProbe {
  web: string;
  fullName: string;
  token: string;
  timeoutMs: number;
}

/** Why not, in words; null when it may, or when the git server gives no clear answer. */
export async function pushProblem(
  probe: PushProbe,
  known: { mayPush: boolean; scopes: string | number | undefined; isPrivate: boolean },
): Promise<string | null> {
  // Only classic tokens have scopes; an empty header is one without any.
  const scopes = known.scopes === undefined ? null : String(known.scopes).split(/,\s*/);
  if (scopes !== null && !scopes.includes('repo') && (known.isPrivate || !scopes.includes('public_repo')))
    return `the token lacks the scope "${known.isPrivate ? 'repo' : 'public_repo'}"`;
  if (!known.mayPush)
    return `the person whose token it is has no write access${scopes === null ? `, or the token lacks ${CONTENTS}` : ''}`;
  // Fine-grained tokens can't be asked what they may do, but a push that is only begun shows it.
  return scopes === null ? refusedByGit(probe) : null;
}

async function refusedByGit({ web, fullName, token, timeoutMs }: PushProbe): Promise<string | null> {
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  try {
    const response = await fetch(`${web}/${fullName}.git/info/refs?service=git-receive-pack`, {
      headers: { authorization: `Basic ${basic}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return response.status === 401 || response.status === 403
      ? `the token lacks the permission ${CONTENTS}`
      : null;
  } catch {
    // What it would have told shows at the push.
    return null;
  }
}

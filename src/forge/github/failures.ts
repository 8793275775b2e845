import { BgAgentError, type ErrorCode } from '../../task/errors.ts';
import type { Response } from './verdicts.ts';

/**
 * A failed call, said without anything of the call's own objects: those hold tokens. `status` is null when there was no answer.
 */
export class GitHubFailure extends BgAgentError {
  readonly status: number | null;
  /** What GitHub says, one line. */
  readonly said: string;
  /** The request may have taken effect all the same. */
  readonly ambiguous: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    details: { status: number | null; said: string; ambiguous?: boolean },
  ) {
    super(code, message);
    this.status = details.status;
    this.said = details.said;
    this.ambiguous = details.ambiguous ?? false;
  }
}

export const hasStatus = (error: unknown, ...statuses: number[]): error is GitHubFailure =>
  error instanceof GitHubFailure && error.status !== null && statuses.includes(error.status);

/** Makes the error of the catalogue. `where` names the call, like `GET /repos/{owner}/{repo}`, and `target` the repository. */
export function failureOf(
  response: Response | null,
  { where, target, reason }: { where: string; target: string; reason: string },
): GitHubFailure {
  if (response === null)
    return new GitHubFailure('GITHUB_UNREACHABLE', `GitHub did not answer ${where}: ${reason}`, {
      status: null,
      said: reason,
      ambiguous: true,
    });
  const { status } = response;
  const said = response.message.slice(0, 500);
  const make = (code: ErrorCode, message: string, ambiguous = false): GitHubFailure =>
    new GitHubFailure(code, message, { status, said, ambiguous });
  if (status >= 500)
    return make('GITHUB_UNREACHABLE', `GitHub answered ${where} with ${status}: ${said}`, true);
  if (status === 401)
    return make('GITHUB_CREDENTIALS_REFUSED', `GitHub refuses the credentials for ${target}: ${said}`);
  if (status === 403) return forbidden(response, target, make);
  if (status === 404)
    return make('REPO_NOT_FOUND_OR_NO_ACCESS', `${target} is not there, or the credentials may not see it`);
  if (status === 409 && /empty/i.test(said)) return make('REPO_EMPTY', `${target} has no commit`);
  return make('GITHUB_REFUSED', `GitHub refused ${where} (${status}): ${said}`);
}

function forbidden(
  { headers, message }: Response,
  target: string,
  make: (code: ErrorCode, message: string) => GitHubFailure,
): GitHubFailure {
  if (/archived/i.test(message)) return make('REPO_ARCHIVED', `${target} is archived, so it is read-only`);
  const sso = /url=(\S+)/.exec(String(headers['x-github-sso'] ?? ''))?.[1];
  if (sso !== undefined)
    return make(
      'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      `the organization of ${target} asks for single sign-on: authorize the token at ${sso.split('?')[0]}`,
    );
  const needed = headers['x-accepted-github-permissions'];
  const rights = needed === undefined ? '' : `: it lacks ${describePermissions(String(needed))}`;
  return make(
    'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
    `the credentials may not do that on ${target}${rights} (${message.slice(0, 300)})`,
  );
}

const NAMES: Readonly<Record<string, string>> = {
  contents: 'Contents',
  pull_requests: 'Pull requests',
  issues: 'Issues',
  workflows: 'Workflows',
  metadata: 'Metadata',
};

/** `contents: write` in the words of GitHub's pages: "Contents: Read and write". */
export const namePermission = (name: string, level: string): string =>
  `"${NAMES[name] ?? name}: ${level === 'write' ? 'Read and write' : 'Read-only'}"`;

/** Sets are apart by semicolons, any of them does; the permissions of a set by commas. */
const describePermissions = (header: string): string =>
  header
    .split(';')
    .map((set) =>
      set
        .split(',')
        .map((pair) => {
          const [name = '', level = ''] = pair.trim().split('=');
          return namePermission(name, level);
        })
        .join(' and '),
    )
    .join(' or ');

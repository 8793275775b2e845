import { BgAgentError, ERRORS } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Check } from './doctor-checks.ts';
import { openSetup } from './github.ts';

const WARN_DAYS = 14;
const DAY_MS = 86_400_000;

/** Whether GitHub takes what was set up. Nothing set up is fine: only `owner/name` needs it. */
export async function githubChecks(cli: Cli): Promise<Check[]> {
  try {
    const setup = await openSetup(cli);
    const app = await setup.checkStoredApp(null);
    if (app) return appChecks(app);
    const token = await setup.checkStoredToken(null);
    if (token) return tokenChecks(token, cli.now());
    return [
      { name: 'github', state: 'ok', detail: 'not set up; `bgagent github setup` does it', remedy: null },
    ];
  } catch (error) {
    if (!(error instanceof BgAgentError)) throw error;
    const state =
      error.code === 'GITHUB_UNREACHABLE' || error.code === 'GITHUB_RATE_LIMITED' ? 'warn' : 'fail';
    return [{ name: 'github', state, detail: error.message, remedy: ERRORS[error.code].remedy }];
  }
}

type Setup = Awaited<ReturnType<typeof openSetup>>;
type App = NonNullable<Awaited<ReturnType<Setup['checkStoredApp']>>>;
type Token = NonNullable<Awaited<ReturnType<Setup['checkStoredToken']>>>;

function appChecks({ slug, installUrl, checks }: App): Check[] {
  if (checks.length === 0)
    return [
      {
        name: 'github',
        state: 'warn',
        detail: `the App ${slug} is not installed anywhere`,
        remedy: `Install it: ${installUrl}`,
      },
    ];
  return checks.map(({ what, ok, detail }) => ({
    name: 'github',
    state: ok === false ? 'fail' : 'ok',
    detail: `App ${slug} on ${what}: ${detail}`,
    remedy: ok === false ? 'See what it says.' : null,
  }));
}

function tokenChecks({ login, kind, expiresAt, checks }: Token, now: number): Check[] {
  const missing = checks.filter(({ ok }) => ok === false).map(({ detail }) => detail);
  const daysLeft = expiresAt === null ? null : Math.floor((Date.parse(expiresAt) - now) / DAY_MS);
  const ends = daysLeft === null ? '' : `, ends in ${daysLeft} days`;
  const detail = `the ${kind} token of ${login}${ends}${missing.length > 0 ? `: ${missing.join('; ')}` : ''}`;
  if (missing.length > 0)
    return [{ name: 'github', state: 'fail', detail, remedy: 'Give it what is missing, on GitHub.' }];
  const isNear = daysLeft !== null && daysLeft < WARN_DAYS;
  return [
    {
      name: 'github',
      state: isNear ? 'warn' : 'ok',
      detail,
      remedy: isNear ? 'Make a new one, then `bgagent github setup`.' : null,
    },
  ];
}

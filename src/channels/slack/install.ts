import { BgAgentError } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import type { InboundAnswer } from '../channel.ts';
import type { SlackCaller } from './api.ts';
import { SlackCallError } from './errors.ts';
import { isOauthState } from './oauth-state.ts';
import { installedSchema } from './payloads.ts';
import type { Workspaces } from './workspaces.ts';

const invalid = (message: string): BgAgentError => new BgAgentError('VALIDATION_ERROR', message);

/** The end of an installation that was begun with our link: Slack's code becomes the workspace's token. */
export async function install(
  {
    workspaces,
    callSlack,
    log,
    now,
  }: { workspaces: Workspaces; callSlack: SlackCaller; log: Log; now(): number },
  { code = '', state = '', error }: Readonly<Record<string, string>>,
): Promise<InboundAnswer> {
  if (!isOauthState(state, await workspaces.signingSecret(), now()))
    throw invalid('state: this link is not valid or too old; `bgagent slack setup` prints a new one');
  if (error !== undefined || code === '') throw invalid('code: the app was not installed');
  const { clientId: client_id, clientSecret: client_secret } = await workspaces.appCredentials();
  let answer: Record<string, unknown>;
  try {
    answer = await callSlack(undefined, 'oauth.v2.access', { client_id, client_secret, code });
  } catch (failure) {
    if (!(failure instanceof SlackCallError)) throw failure;
    log.warn({ event: 'slack.install.failed', code: failure.failure.code }, 'Slack did not hand out a token');
    if (failure.failure.answered) throw invalid('code: Slack did not accept this installation; begin again');
    throw new BgAgentError('SERVICE_UNAVAILABLE', 'Slack could not be reached; begin again', {
      cause: failure,
    });
  }
  const installed = installedSchema.safeParse(answer);
  if (!installed.success) throw invalid('code: the app must be installed in a workspace');
  const { team, access_token, refresh_token } = installed.data;
  await workspaces.save(team.id, { access_token, refresh_token });
  log.info({ event: 'slack.workspace.installed', team_id: team.id }, 'the app was installed in a workspace');
  return {
    body: '<!doctype html><meta charset="utf-8"><title>bgagent</title><p>Installed. Mention <code>@bgagent</code> to begin.',
    contentType: 'text/html',
  };
}

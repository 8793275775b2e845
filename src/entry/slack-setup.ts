import { join } from 'node:path';
import { createSlackCaller } from '../channels/slack/api.ts';
import { createManifest, installLink, SCOPES } from '../channels/slack/manifest.ts';
import { createOauthState } from '../channels/slack/oauth-state.ts';
import { createWorkspaces } from '../channels/slack/workspaces.ts';
import type { Settings } from '../config/settings.ts';
import { createFileSecrets } from '../stores/files/secrets.ts';
import { messageOf } from '../task/errors.ts';

const TIMEOUT_MS = 10_000;
const TEAM_SECRET = /^bgagent\/slack\/([TE][A-Z0-9]{1,30})$/;

/** One thing that was looked at. */
export interface SlackCheck {
  name: string;
  ok: boolean;
  detail: string;
  remedy: string | null;
}

export interface SlackSetup {
  manifest(publicUrl: string): Record<string, unknown>;
  /** Keeps the app's secrets where the platform of this machine finds them. */
  keep(secrets: { clientSecret: string; signingSecret: string }): Promise<void>;
  /** For an administrator of the workspace; good for an hour. Throws CHANNEL_NOT_CONFIGURED. */
  installLink(): Promise<string>;
  check(): Promise<SlackCheck[]>;
}

/** What `bgagent slack` does on this machine: its data folder holds the secrets. */
export async function openSlackSetup({
  dataDir,
  settings,
  environmentSecrets,
}: {
  dataDir: string;
  settings: Pick<Settings, 'slack_api_url' | 'slack_client_id' | 'public_url'>;
  environmentSecrets: Readonly<Record<string, string>>;
}): Promise<SlackSetup> {
  const secrets = await createFileSecrets({
    file: join(dataDir, 'secrets.json'),
    environment: environmentSecrets,
  });
  const callSlack = createSlackCaller({ apiUrl: settings.slack_api_url, timeoutMs: TIMEOUT_MS });
  const workspaces = createWorkspaces({
    secrets,
    clientId: settings.slack_client_id,
    call: (method, args) => callSlack(undefined, method, args),
    now: Date.now,
  });

  async function checked(name: string, remedy: string, look: () => Promise<string>): Promise<SlackCheck> {
    try {
      return { name, ok: true, detail: await look(), remedy: null };
    } catch (error) {
      return { name, ok: false, detail: messageOf(error), remedy };
    }
  }

  async function checkTeam(teamId: string): Promise<string> {
    const { team, user, response_metadata } = await callSlack(
      await workspaces.token(teamId),
      'auth.test',
      {},
    );
    const { scopes = [] } = (response_metadata ?? {}) as { scopes?: string[] };
    const missing = SCOPES.filter((scope) => !scopes.includes(scope));
    if (missing.length > 0) throw new Error(`the token lacks ${missing.join(', ')}`);
    return `${String(team)}, as ${String(user)}`;
  }

  return {
    manifest: createManifest,

    async keep({ clientSecret, signingSecret }) {
      await secrets.put('bgagent/slack/client-secret', clientSecret);
      await secrets.put('bgagent/slack/signing-secret', signingSecret);
    },

    async installLink() {
      const { clientId } = await workspaces.appCredentials();
      return installLink({ clientId, state: createOauthState(await workspaces.signingSecret(), Date.now()) });
    },

    async check() {
      const teams = (await secrets.list()).flatMap((name) => TEAM_SECRET.exec(name)?.[1] ?? []);
      const connect = 'Run `bgagent slack connect` with what the app’s page "Basic Information" shows.';
      return Promise.all([
        checked(
          'public address',
          'Set public_url to the address at which Slack reaches this platform.',
          async () => {
            if (settings.public_url === null) throw new Error('setting public_url is not set');
            return settings.public_url;
          },
        ),
        checked('signing secret', connect, async () =>
          (await workspaces.signingSecret()) === '' ? '' : 'kept',
        ),
        checked('client id and secret', connect, async () => (await workspaces.appCredentials()).clientId),
        ...(teams.length === 0
          ? [
              checked('workspaces', 'Open the link that `bgagent slack connect` prints.', () =>
                Promise.reject(new Error('none has installed the app')),
              ),
            ]
          : teams.map((teamId) =>
              checked(`workspace ${teamId}`, 'Install the app there again.', () => checkTeam(teamId)),
            )),
      ]);
    },
  };
}

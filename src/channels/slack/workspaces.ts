import { z } from 'zod';
import type { SecretStore } from '../../stores/secret-store.ts';
import { BgAgentError } from '../../task/errors.ts';
import { SlackCallError } from './errors.ts';

/** The bot token of each workspace, in secret `bgagent/slack/<team id>`: the token alone, or with what renews it. */

const TEAM_ID = /^[TE][A-Z0-9]{1,30}$/;
const rotatedSchema = z.object({ access_token: z.string(), refresh_token: z.string() });
/** How long a token is remembered: after a removal elsewhere it is used no longer than this. */
const REMEMBERED_MS = 60_000;

export interface Workspaces {
  /** Throws CHANNEL_NOT_CONFIGURED. */
  token(teamId: string): Promise<string>;
  /** A fresh token in place of an expired one; undefined when it has no way to be renewed. */
  renew(teamId: string): Promise<string | undefined>;
  save(teamId: string, tokens: { access_token: string; refresh_token?: string | undefined }): Promise<void>;
  remove(teamId: string): Promise<void>;
  /** The app's own credentials, for OAuth. Throws CHANNEL_NOT_CONFIGURED. */
  appCredentials(): Promise<{ clientId: string; clientSecret: string }>;
  /** What Slack signs its requests with. Throws CHANNEL_NOT_CONFIGURED. */
  signingSecret(): Promise<string>;
}

/** Calls a method without a token. Throws SlackCallError. */
export type CallSlack = (method: string, args: Record<string, unknown>) => Promise<unknown>;

export function createWorkspaces({
  secrets,
  clientId,
  call,
  now,
}: {
  secrets: SecretStore;
  clientId: string | null;
  call: CallSlack;
  now(): number;
}): Workspaces {
  const remembered = new Map<string, { token: string; untilMs: number }>();
  const nameOf = (teamId: string): string => `bgagent/slack/${checked(teamId)}`;

  /** From the store, or from the environment, where names have no slashes. */
  async function appSecret(name: string, variable: string): Promise<string> {
    const value = (await secrets.get(`bgagent/slack/${name}`)) ?? (await secrets.get(variable));
    if (value !== undefined) return value;
    throw missing(
      'FANOUT_SLACK_MISSING_APP_SECRET',
      `secret bgagent/slack/${name} (or BGAGENT_SECRET_${variable}) is not set; \`bgagent slack setup\` says how`,
    );
  }

  async function read(teamId: string): Promise<{ access_token: string; refresh_token?: string } | undefined> {
    const value = await secrets.get(nameOf(teamId));
    if (value === undefined || !value.startsWith('{'))
      return value === undefined ? undefined : { access_token: value };
    return rotatedSchema.parse(JSON.parse(value));
  }

  const workspaces: Workspaces = {
    async token(teamId) {
      const known = remembered.get(teamId);
      if (known && known.untilMs > now()) return known.token;
      const stored = await read(teamId);
      if (!stored)
        throw missing(
          'FANOUT_SLACK_MISSING_TOKEN',
          `there is no token of workspace ${teamId}: install the app there (docs/channels/slack.md)`,
        );
      remembered.set(teamId, { token: stored.access_token, untilMs: now() + REMEMBERED_MS });
      return stored.access_token;
    },

    async renew(teamId) {
      remembered.delete(teamId);
      const stored = await read(teamId);
      if (stored?.refresh_token === undefined) return undefined;
      const { clientId: client_id, clientSecret: client_secret } = await workspaces.appCredentials();
      const answer = await call('oauth.v2.access', {
        client_id,
        client_secret,
        grant_type: 'refresh_token',
        refresh_token: stored.refresh_token,
      });
      const fresh = rotatedSchema.parse(answer);
      await workspaces.save(teamId, fresh);
      return fresh.access_token;
    },

    async save(teamId, { access_token, refresh_token }) {
      remembered.delete(teamId);
      await secrets.put(
        nameOf(teamId),
        refresh_token === undefined ? access_token : JSON.stringify({ access_token, refresh_token }),
      );
    },

    async remove(teamId) {
      remembered.delete(teamId);
      await secrets.delete(nameOf(teamId));
    },

    async appCredentials() {
      if (clientId === null)
        throw missing('FANOUT_SLACK_MISSING_APP_SECRET', 'setting slack_client_id is not set');
      return { clientId, clientSecret: await appSecret('client-secret', 'SLACK_CLIENT_SECRET') };
    },

    signingSecret: () => appSecret('signing-secret', 'SLACK_SIGNING_SECRET'),
  };
  return workspaces;
}

function checked(teamId: string): string {
  if (TEAM_ID.test(teamId)) return teamId;
  throw missing('FANOUT_SLACK_MISSING_TOKEN', `"${teamId.slice(0, 40)}" is not the id of a Slack workspace`);
}

const missing = (errorId: string, message: string): BgAgentError =>
  new BgAgentError('CHANNEL_NOT_CONFIGURED', `${errorId}: ${message}`);

/** Whether the workspace's token is at fault, so that a fresh one may help. */
export const isExpired = (error: unknown): boolean =>
  error instanceof SlackCallError && error.failure.code === 'token_expired';

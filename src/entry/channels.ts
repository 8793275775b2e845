import type { ApiOptions } from '../api/deps.ts';
import type { Channel, TaskActions } from '../channels/channel.ts';
import { createEmailChannel } from '../channels/email/email.ts';
import { createSesTransport } from '../channels/email/ses.ts';
import { createSmtpTransport } from '../channels/email/smtp.ts';
import { createSlackCaller } from '../channels/slack/api.ts';
import { createSlackInbox } from '../channels/slack/inbox.ts';
import { createPeople } from '../channels/slack/people.ts';
import { createSlackChannel } from '../channels/slack/slack.ts';
import { createWorkspaces } from '../channels/slack/workspaces.ts';
import type { Settings } from '../config/settings.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import type { Stores } from '../stores/stores.ts';
import type { Log } from '../task/log.ts';

/** Longest that Slack may take for one call, in milliseconds. */
const SLACK_TIMEOUT_MS = 10_000;

/** Every channel of the deployment, and where their services post what people do. Nothing is loaded or reached before it's used. */
export function createChannels({
  settings,
  secrets,
  stores,
  actions,
  log,
  now,
}: {
  settings: Settings;
  secrets: SecretStore;
  stores: Stores;
  actions: TaskActions;
  log: Log;
  now(): number;
}): { channels: Channel[]; inboxes: NonNullable<ApiOptions['inboxes']> } {
  const callSlack = createSlackCaller({ apiUrl: settings.slack_api_url, timeoutMs: SLACK_TIMEOUT_MS });
  const workspaces = createWorkspaces({
    secrets,
    clientId: settings.slack_client_id,
    call: (method, args) => callSlack(undefined, method, args),
    now,
  });
  const { messages, accountLinks, apiKeys } = stores;
  const people = createPeople({ links: accountLinks, apiKeys, now });
  const slack = createSlackChannel({
    ...{ workspaces, callSlack, messages, log, now },
    notifyChannel: settings.slack_notify_channel,
  });
  const email = createEmailChannel({
    ...{ messages, log, now },
    transport:
      settings.ses_region === null
        ? createSmtpTransport({ url: settings.smtp_url, secrets })
        : createSesTransport({ region: settings.ses_region }),
    from: settings.email_from,
    to: settings.email_to,
  });
  const slackInbox = createSlackInbox({
    ...{ workspaces, callSlack, people, actions, log, now },
    // Another server in Slack's place answers for itself.
    responseBase: responseBaseOf(settings.slack_api_url),
  });
  return { channels: [slack, email], inboxes: { slack: slackInbox } };
}

const responseBaseOf = (apiUrl: string): string => {
  const { hostname, origin } = new URL(apiUrl);
  return hostname === 'slack.com' ? 'https://hooks.slack.com/' : `${origin}/`;
};

import type { ApiOptions } from '../api/deps.ts';
import type { Actor, Channel, TaskActions } from '../channels/channel.ts';
import { createEmailChannel } from '../channels/email/email.ts';
import { createSesTransport } from '../channels/email/ses.ts';
import { createSmtpTransport } from '../channels/email/smtp.ts';
import { createGitHubChannel } from '../channels/github/github.ts';
import { createGitHubInbox } from '../channels/github/inbox.ts';
import { createLinkedAccounts } from '../channels/linked-accounts.ts';
import { createSlackCaller } from '../channels/slack/api.ts';
import { createSlackInbox } from '../channels/slack/inbox.ts';
import { createPeople } from '../channels/slack/people.ts';
import { createSlackChannel } from '../channels/slack/slack.ts';
import { createWorkspaces } from '../channels/slack/workspaces.ts';
import type { Settings } from '../config/settings.ts';
import type { Forge } from '../forge/forge.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import type { Stores } from '../stores/stores.ts';
import type { Log } from '../task/log.ts';
import type { Workflows } from '../task/workflows.ts';
import { WEBHOOK_SECRET } from './github-setup.ts';

/** Longest that Slack may take for one call, in milliseconds. */
const SLACK_TIMEOUT_MS = 10_000;

/** Every channel of the deployment, and where their services post what people do. Nothing is loaded or reached before it's used. */
export function createChannels({
  settings,
  secrets,
  stores,
  workflows,
  forgeFor,
  actions,
  log,
  now,
}: {
  settings: Settings;
  secrets: SecretStore;
  stores: Stores;
  workflows: Workflows;
  forgeFor(repo: string): Forge;
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
    workspaces,
    callSlack,
    messages,
    log,
    now,
    notifyChannel: settings.slack_notify_channel,
  });
  const email = createEmailChannel({
    messages,
    log,
    now,
    transport:
      settings.ses_region === null
        ? createSmtpTransport({ url: settings.smtp_url, secrets })
        : createSesTransport({ region: settings.ses_region }),
    from: settings.email_from,
    to: settings.email_to,
  });
  const slackInbox = createSlackInbox({
    workspaces,
    callSlack,
    people,
    actions,
    log,
    now,
    // Another server in Slack's place answers for itself.
    responseBase: responseBaseOf(settings.slack_api_url),
  });
  const collaborationFor = (repo: string) => forgeFor(repo).collaboration;
  const github = createGitHubChannel({
    collaborationFor,
    outcomeOf: ({ resolved_workflow }) => workflows.resolve(resolved_workflow.id).outcome,
    readTask: (taskId) => stores.tasks.get(taskId),
  });
  const githubAccounts = createLinkedAccounts({ provider: 'github', links: accountLinks, apiKeys, now });
  const githubInbox = createGitHubInbox({
    collaborationFor,
    actions,
    log,
    webhookSecret: () => secrets.get(WEBHOOK_SECRET),
    mention: settings.github_mention,
    actorOf: ({ id }) => githubAccounts.find(String(id)),
    link: ({ id }, code) => githubAccounts.link(String(id), code),
    ownerOf: (taskId) => ownerOf(stores, taskId),
  });
  return { channels: [slack, github, email], inboxes: { slack: slackInbox, github: githubInbox } };
}

/** For what the platform does by itself about a task: in the name of its owner, and no more than to submit. */
async function ownerOf({ tasks }: Pick<Stores, 'tasks'>, taskId: string): Promise<Actor | undefined> {
  const task = await tasks.get(taskId);
  return task && { userId: task.user_id, scopes: ['tasks:write'] };
}

const responseBaseOf = (apiUrl: string): string => {
  const { hostname, origin } = new URL(apiUrl);
  return hostname === 'slack.com' ? 'https://hooks.slack.com/' : `${origin}/`;
};

/** The Slack app of a deployment. Each company installs its own from this (L11). */

/** What the bot may do, and why; nothing that is not used. */
export const SCOPES = [
  // Being asked.
  'app_mentions:read',
  'im:history',
  'commands',
  // Telling; also in public channels that nobody invited it to.
  'chat:write',
  'chat:write.public',
  'im:write',
  'reactions:write',
  // Finding a message again whose answer was lost.
  'channels:history',
  'groups:history',
  'mpim:history',
] as const;

const EVENTS = ['app_mention', 'message.im', 'app_uninstalled', 'tokens_revoked'] as const;

/** As Slack takes it under "Create New App" – "From a manifest". `publicUrl`: where Slack reaches the platform. */
export function createManifest(publicUrl: string): Record<string, unknown> {
  const at = (path: string): string => `${publicUrl.replace(/\/+$/, '')}/v1/slack/${path}`;
  return {
    display_information: {
      name: 'bgagent',
      description: 'Background coding agents: ask for a change, get a verified pull request.',
      background_color: '#1f2937',
    },
    features: {
      app_home: {
        home_tab_enabled: false,
        messages_tab_enabled: true,
        messages_tab_read_only_enabled: false,
      },
      bot_user: { display_name: 'bgagent', always_online: true },
      slash_commands: [
        {
          command: '/bgagent',
          url: at('commands'),
          description: 'Background coding agents',
          usage_hint: 'submit|status|cancel|link|help',
          should_escape: false,
        },
      ],
    },
    oauth_config: { redirect_urls: [at('oauth/callback')], scopes: { bot: [...SCOPES] } },
    settings: {
      event_subscriptions: { request_url: at('events'), bot_events: [...EVENTS] },
      interactivity: { is_enabled: true, request_url: at('interactions') },
      org_deploy_enabled: false,
      socket_mode_enabled: false,
      token_rotation_enabled: false,
    },
  };
}

/** Where an administrator of a workspace installs the app. */
export function installLink({ clientId, state }: { clientId: string; state: string }): string {
  const query = new URLSearchParams({ client_id: clientId, scope: SCOPES.join(','), state });
  return `https://slack.com/oauth/v2/authorize?${query}`;
}

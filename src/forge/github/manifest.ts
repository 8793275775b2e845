import { type ClientOptions, createClient } from './client.ts';
import { GitHubFailure, hasStatus } from './failures.ts';
import type { Permissions } from './installations.ts';

/** What a new GitHub App shall be, as GitHub's page for it takes it. */
export interface Manifest {
  name: string;
  url: string;
  redirect_url: string;
  public: boolean;
  default_permissions: Permissions;
  default_events: readonly string[];
  hook_attributes?: { url: string; active: boolean };
}

export interface NewApp {
  id: number;
  slug: string;
  url: string;
  privateKey: string;
  /** Null when it gets no webhooks. */
  webhookSecret: string | null;
}

const EVENTS = ['issues', 'issue_comment', 'pull_request', 'pull_request_review', 'check_suite'];

/** The least that the platform works with; webhooks bring what it needs to answer them. */
export function appManifest({
  name,
  homepage,
  redirectUrl,
  webhookUrl,
  workflowFiles,
}: {
  name: string;
  homepage: string;
  redirectUrl: string;
  webhookUrl: string | null;
  workflowFiles: boolean;
}): Manifest {
  return {
    name,
    url: homepage,
    redirect_url: redirectUrl,
    public: false,
    default_permissions: {
      contents: 'write',
      pull_requests: 'write',
      issues: 'write',
      metadata: 'read',
      ...(workflowFiles ? { workflows: 'write' } : {}),
      ...(webhookUrl === null ? {} : { checks: 'read' }),
    },
    default_events: webhookUrl === null ? [] : EVENTS,
    ...(webhookUrl === null ? {} : { hook_attributes: { url: webhookUrl, active: true } }),
  };
}

/** The page that takes a manifest, of a person or of an organization. */
export const manifestPage = (web: string, organization: string | null, state: string): string =>
  `${web}${organization === null ? '' : `/organizations/${encodeURIComponent(organization)}`}/settings/apps/new?state=${state}`;

/** Fetches the App that was made; a code is good once, for an hour. Throws GITHUB_REFUSED. */
export async function fetchNewApp(options: ClientOptions, code: string): Promise<NewApp> {
  const client = createClient(options, {
    key: 'setup',
    target: 'the new GitHub App',
    authorization: async () => null,
    renew: async () => false,
  });
  const { data } = await client
    .request('POST /app-manifests/{code}/conversions', { code })
    .catch((error: unknown) => {
      if (!hasStatus(error, 404, 422)) throw error;
      throw new GitHubFailure(
        'GITHUB_REFUSED',
        'GitHub does not know the code: it is good once, for an hour; begin again',
        error,
      );
    });
  return {
    id: data.id,
    slug: data.slug ?? String(data.id),
    url: data.html_url,
    privateKey: data.pem,
    webhookSecret: data.webhook_secret,
  };
}

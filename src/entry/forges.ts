import type { Settings } from '../config/settings.ts';
import type { Forge } from '../forge/forge.ts';
import { createRepoCredentials } from '../forge/git/credentials.ts';
import { createGitForge } from '../forge/git/git-forge.ts';
import { addressesOf, nameInUrl } from '../forge/github/addresses.ts';
import { createGitHubForge } from '../forge/github/github-forge.ts';
import type { RepoStore } from '../stores/repo-store.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import type { Log } from '../task/log.ts';
import type { GitHubNames } from './repo-references.ts';

/** The settings that say how GitHub is reached, and as whom. */
export type GitHubSettings = Pick<
  Settings,
  | 'github_api_url'
  | 'github_app_id'
  | 'github_private_key_secret'
  | 'github_token_secret'
  | 'github_workflow_files'
>;

export interface Forges {
  /** `owner/name` is on GitHub, everything else is a plain git remote. */
  forgeFor(repo: string): Forge;
  github: GitHubNames;
}

export function createForges({
  settings,
  secrets,
  repos,
  environment,
  log,
}: {
  settings: GitHubSettings;
  secrets: Pick<SecretStore, 'get'>;
  repos: Pick<RepoStore, 'get'>;
  /** What git inherits: PATH and the like. */
  environment: Readonly<Record<string, string>>;
  log: Log;
}): Forges {
  const {
    github_api_url: apiUrl,
    github_app_id: appId,
    github_private_key_secret: privateKeySecret,
    github_token_secret: tokenSecret,
  } = settings;
  const credentialsFor = createRepoCredentials({ repos, secrets, reserved: [privateKeySecret] });
  const git = createGitForge({ environment, credentialsFor });
  const github = createGitHubForge({
    apiUrl,
    appId: appId === null ? null : String(appId),
    privateKeySecret,
    tokenSecret,
    workflowFiles: settings.github_workflow_files,
    secrets,
    repoToken: async (repo) => (await credentialsFor(repo))?.password ?? null,
    log,
  });
  const addresses = addressesOf(apiUrl);
  return {
    forgeFor: (repo) => (isNamed(repo) ? github : git),
    github: {
      nameInUrl: (url) => nameInUrl(addresses, url),
      async isServed(name, url) {
        if ((await repos.get(name))?.status === 'active') return true;
        // Known under its address from before GitHub was set up.
        if ((await repos.get(url))?.status === 'active') return false;
        return appId !== null || Boolean((await secrets.get(tokenSecret))?.trim());
      },
    },
  };
}

/** References are canonical here: a path begins with a slash, and what else has a host has a colon. */
const isNamed = (repo: string): boolean => /^[^/:]+\/[^/:]+$/.test(repo);

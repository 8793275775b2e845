import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { editSettingsFile } from '../config/edit-settings.ts';
import { settingsFileOf } from '../config/settings-file.ts';
import { addressesOf, splitName } from '../forge/github/addresses.ts';
import type { AppAccess, TokenAccess } from '../forge/github/check-access.ts';
import type { ClientOptions } from '../forge/github/client.ts';
import type { NewApp } from '../forge/github/manifest.ts';
import { createPace } from '../forge/github/pace.ts';
import { createFileSecrets } from '../stores/files/secrets.ts';
import type { Log } from '../task/log.ts';
import { makeDataFolder } from './data-folder.ts';
import type { GitHubSettings } from './forges.ts';
import { type ManifestPage, serveManifest } from './github-manifest-page.ts';

/** Of `bgagent github setup` and `bgagent doctor`: what the credentials may do, and where they are kept. */
export interface GitHubSetup {
  checkToken(token: string, repo: string | null): Promise<TokenAccess>;
  /** From now on the token is used for every repository without its own; a GitHub App that was set up is not, any more. */
  storeToken(token: string): Promise<void>;
  /** Opens the page that leads to GitHub's form for a new App. */
  makeApp(wanted: {
    name: string;
    /** null: it becomes the person's own. */
    organization: string | null;
    webhookUrl: string | null;
  }): Promise<ManifestPage>;
  /** Exchanges the code of a manifest, and stores id, key and webhook secret. */
  storeApp(code: string): Promise<NewApp>;
  /** null when none is set up here. */
  checkStoredApp(repo: string | null): Promise<AppAccess | null>;
  checkStoredToken(repo: string | null): Promise<TokenAccess | null>;
}

/** Webhooks are signed with it. */
/** The name of the secret that GitHub signs webhooks with. */
export const WEBHOOK_SECRET = 'GITHUB_WEBHOOK_SECRET';
/** GitHub wants one; people may change it there. */
const HOMEPAGE = 'https://example.com/bgagent';

export async function openGitHubSetup({
  dataDir,
  settings,
  environmentSecrets,
  log,
  timeoutMs = 15_000,
}: {
  dataDir: string;
  settings: GitHubSettings;
  environmentSecrets: Readonly<Record<string, string>>;
  log: Log;
  /** Milliseconds for one answer of GitHub. */
  timeoutMs?: number;
}): Promise<GitHubSetup> {
  const { api, web } = addressesOf(settings.github_api_url);
  const workflowFiles = settings.github_workflow_files;
  const file = settingsFileOf(dataDir);
  const secrets = await createFileSecrets({
    file: join(dataDir, 'secrets.json'),
    environment: environmentSecrets,
  });
  const sleep = (ms: number): Promise<void> => delay(ms);
  const client: ClientOptions = {
    apiUrl: api,
    // A person waits here: no limit is waited for.
    pace: createPace({ now: Date.now, sleep, contentPerMinute: 80, maxWaitMs: 0 }),
    now: Date.now,
    sleep,
    timeoutMs,
    log,
  };
  const checkToken = async (token: string, repo: string | null): Promise<TokenAccess> => {
    if (repo !== null) splitName(repo);
    const { checkToken: check } = await import('../forge/github/check-access.ts');
    return check(client, { token, repo, workflowFiles });
  };
  let appId = settings.github_app_id;

  return {
    checkToken,
    async storeToken(token) {
      await makeDataFolder(dataDir);
      await secrets.put(settings.github_token_secret, token);
      if (appId !== null) await editSettingsFile(file, { set: {}, unset: ['github_app_id'] });
      appId = null;
    },
    async makeApp({ name, organization, webhookUrl }) {
      const { appManifest, manifestPage } = await import('../forge/github/manifest.ts');
      const state = randomBytes(24).toString('base64url');
      return serveManifest({
        state,
        target: manifestPage(web, organization, state),
        manifestFor: (redirectUrl) =>
          appManifest({ name, homepage: HOMEPAGE, redirectUrl, webhookUrl, workflowFiles }),
      });
    },
    async storeApp(code) {
      await makeDataFolder(dataDir);
      const { fetchNewApp } = await import('../forge/github/manifest.ts');
      const app = await fetchNewApp(client, code);
      await secrets.put(settings.github_private_key_secret, app.privateKey);
      if (app.webhookSecret !== null) await secrets.put(WEBHOOK_SECRET, app.webhookSecret);
      await editSettingsFile(file, { set: { github_app_id: String(app.id) }, unset: [] });
      appId = app.id;
      return app;
    },
    async checkStoredApp(repo) {
      if (appId === null) return null;
      const { checkApp } = await import('../forge/github/check-access.ts');
      const privateKey = (await secrets.get(settings.github_private_key_secret)) ?? '';
      return checkApp(client, { appId: String(appId), privateKey, repo, workflowFiles });
    },
    async checkStoredToken(repo) {
      const token = (await secrets.get(settings.github_token_secret))?.trim();
      return token ? checkToken(token, repo) : null;
    },
  };
}

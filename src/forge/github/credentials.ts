import { createHash, createPrivateKey } from 'node:crypto';
import type { SecretStore } from '../../stores/secret-store.ts';
import { BgAgentError } from '../../task/errors.ts';

/** How the platform shows itself for a repository: as an App, or with a person's token. */
export type Identity =
  | { kind: 'app'; appId: string; privateKey: string; key: string }
  | { kind: 'token'; token: string; key: string };

export interface IdentityOptions {
  secrets: Pick<SecretStore, 'get'>;
  /** The id of the GitHub App; null = tokens only. */
  appId: string | null;
  /** Name of the secret with the App's private key. */
  privateKeySecret: string;
  /** Name of the secret with the token for all repositories. */
  tokenSecret: string;
  /** A token of the repository's own, which wins. Default: none. */
  repoToken?(repo: string): Promise<string | null>;
}

/** Looks it up anew each time, so that a token that was replaced counts at once. Throws GITHUB_NOT_CONFIGURED. */
export function createIdentities({
  secrets,
  appId,
  privateKeySecret,
  tokenSecret,
  repoToken = async () => null,
}: IdentityOptions): (repo: string) => Promise<Identity> {
  const secret = async (name: string): Promise<string | null> => (await secrets.get(name))?.trim() || null;
  return async (repo) => {
    const own = await repoToken(repo);
    if (own !== null) return identityOfToken(own);
    if (appId !== null) {
      const privateKey = await secret(privateKeySecret);
      if (privateKey !== null) return identityOfApp(appId, privateKey);
      throw new BgAgentError(
        'GITHUB_NOT_CONFIGURED',
        `the secret ${privateKeySecret}, the private key of the GitHub App ${appId}, is not set`,
      );
    }
    const token = await secret(tokenSecret);
    if (token !== null) return identityOfToken(token);
    throw new BgAgentError(
      'GITHUB_NOT_CONFIGURED',
      `${repo} is on GitHub, and there is neither an App (github_app_id) nor a token (secret ${tokenSecret})`,
    );
  };
}

const identityOfToken = (token: string): Identity => ({
  kind: 'token',
  token,
  key: `token-${fingerprint(token)}`,
});

/** Throws GITHUB_CREDENTIALS_REFUSED for what is no private key; the error doesn't quote it. */
export function identityOfApp(appId: string, pem: string): Identity {
  // As environments hold it: one line with \n in it.
  const privateKey = pem.replaceAll('\\n', '\n');
  try {
    createPrivateKey(privateKey);
  } catch {
    throw new BgAgentError(
      'GITHUB_CREDENTIALS_REFUSED',
      `the private key of the GitHub App ${appId} can not be read: it must be the whole PEM file`,
    );
  }
  return { kind: 'app', appId, privateKey, key: `app-${appId}-${fingerprint(privateKey)}` };
}

const fingerprint = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

import { splitName } from './addresses.ts';
import { type Bearer, type Client, type ClientOptions, createClient } from './client.ts';
import type { Identity } from './credentials.ts';
import { createInstallations, type Installations, type Permissions } from './installations.ts';

/** Work on one repository with the credentials for it. */
export interface Session {
  client: Client;
  /** `octo/hello`, as it was asked for. */
  name: string;
  owner: string;
  repo: string;
  identity: Identity;
  /** Only with an App. */
  installations: Installations | null;
  /** The login under which the platform writes: only what it wrote itself is edited or found again. */
  viewer(): Promise<string>;
}

export interface Sessions {
  open(repo: string): Promise<Session>;
}

/** What the platform itself does on a repository; pushing is the runner's, with a token of its own. */
const OWN_WORK: Permissions = { contents: 'read', pull_requests: 'write', issues: 'write' };

export function createSessions(
  options: ClientOptions,
  identityFor: (repo: string) => Promise<Identity>,
): Sessions {
  const apps = new Map<string, Installations>();
  const logins = new Map<string, Promise<string>>();

  const appOf = (identity: Identity): Installations | null => {
    if (identity.kind === 'token') return null;
    const found = apps.get(identity.key) ?? createInstallations(options, identity);
    apps.set(identity.key, found);
    return found;
  };

  const loginOf = (identity: Identity, client: Client, app: Installations | null): Promise<string> => {
    const found =
      logins.get(identity.key) ??
      (app
        ? app.client.request('GET /app').then(({ data }) => `${data?.slug}[bot]`)
        : client.request('GET /user').then(({ data }) => data.login));
    logins.set(identity.key, found);
    found.catch(() => logins.delete(identity.key));
    return found;
  };

  return {
    async open(name) {
      const identity = await identityFor(name);
      const installations = appOf(identity);
      const client = createClient(options, await bearerOf(name, identity, installations, identityFor));
      return {
        client,
        name,
        ...splitName(name),
        identity,
        installations,
        viewer: () => loginOf(identity, client, installations),
      };
    },
  };
}

async function bearerOf(
  name: string,
  identity: Identity,
  installations: Installations | null,
  identityFor: (repo: string) => Promise<Identity>,
): Promise<Bearer> {
  if (installations) {
    const { id } = await installations.on(name);
    return {
      key: `${identity.key}-${id}`,
      target: name,
      authorization: async () => `token ${(await installations.token(name, OWN_WORK)).value}`,
      async renew() {
        installations.forget(name);
        return true;
      },
    };
  }
  let current = identity;
  return {
    key: identity.key,
    target: name,
    authorization: async () => (current.kind === 'token' ? `token ${current.token}` : null),
    // Somebody may have replaced it meanwhile.
    async renew() {
      const before = current.key;
      current = await identityFor(name);
      return current.kind === 'token' && current.key !== before;
    },
  };
}

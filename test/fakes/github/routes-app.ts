import { checkNarrow } from './access.ts';
import { type Call, notFound, page, Refusal, type Route, route, texts } from './http.ts';
import { appShape, installationShape, userShape } from './shapes.ts';
import { type App, fullName, type Installation, type Permissions, type Repo, tokenValue } from './world.ts';

const HOUR_MS = 3_600_000;

export const appRoutes: readonly Route[] = [
  route('GET', '/user', 'token', ({ principal }) => {
    if (principal.kind !== 'classic' && principal.kind !== 'fine-grained')
      throw new Refusal(403, 'Resource not accessible by integration');
    return { status: 200, body: userShape(principal.login) };
  }),
  route('GET', '/rate_limit', 'anyone', () => ({ status: 200, body: { resources: {} } })),
  route('GET', '/meta', 'anyone', () => ({
    status: 200,
    body: { verifiable_password_authentication: false },
  })),
  route('GET', '/app', 'app', (call) => ({ status: 200, body: appShape(call, appOf(call)) })),
  route('GET', '/app/installations', 'app', (call) =>
    page(
      call,
      call.world.installations
        .filter(({ app }) => app === appOf(call))
        .map((installation) => installationShape(call, installation, call.world)),
    ),
  ),
  route('GET', '/repos/{owner}/{repo}/installation', 'app', (call) => {
    const found = installationOn(call, call.repo);
    if (!found) throw notFound();
    return { status: 200, body: installationShape(call, found, call.world) };
  }),
  route('POST', '/app/installations/{id}/access_tokens', 'app', issueToken),
  route('POST', '/app-manifests/{code}/conversions', 'anyone', (call) => {
    const app = call.world.manifestCodes.get(call.params.code ?? '');
    if (!app) throw notFound();
    call.world.manifestCodes.delete(call.params.code ?? '');
    const secrets = {
      pem: app.privateKey,
      webhook_secret: app.webhookSecret,
      client_id: `Iv1.${app.id}`,
      client_secret: 'c'.repeat(40),
    };
    return { status: 201, body: { ...appShape(call, app), ...secrets } };
  }),
];

function appOf({ principal }: Call): App {
  if (principal.kind !== 'app') throw new Refusal(401, 'A JSON web token could not be decoded');
  return principal.app;
}

const installationOn = (call: Call, repo: Repo): Installation | undefined =>
  call.world.installations.find(
    ({ app, owner, repos }) =>
      app === appOf(call) && owner === repo.owner && (repos === 'all' || repos.has(repo.id)),
  );

function issueToken(call: Call): { status: number; body: unknown } {
  const { world, body, params } = call;
  const installation = world.installations.find(
    ({ id, app }) => String(id) === params.id && app === appOf(call),
  );
  if (!installation) throw notFound();
  if (installation.suspended) throw new Refusal(403, 'This installation has been suspended');
  const ids = Array.isArray(body.repository_ids) ? body.repository_ids : null;
  const names = Array.isArray(body.repositories) ? texts(body.repositories) : null;
  const permissions = isPermissions(body.permissions) ? body.permissions : null;
  checkNarrow(world, { repositories: ids ?? names, permissions });

  const reachable = world.repos.filter(
    (repo) =>
      !repo.deleted &&
      repo.owner === installation.owner &&
      (installation.repos === 'all' || installation.repos.has(repo.id)),
  );
  const repos = ids
    ? ids.map((id) => reachable.find((repo) => repo.id === id))
    : names
      ? names.map((name) => reachable.find((repo) => repo.name.toLowerCase() === name.toLowerCase()))
      : reachable;
  const found = repos.filter((repo) => repo !== undefined);
  if (found.length < repos.length)
    throw new Refusal(
      422,
      'There is at least one repository that does not exist or is not accessible to the parent installation.',
    );
  const granted: Permissions = { metadata: 'read', ...installation.permissions };
  for (const [name, level] of Object.entries(permissions ?? {}))
    if (granted[name] === undefined || (granted[name] === 'read' && level === 'write'))
      throw new Refusal(422, 'The permissions requested are not granted to this installation.');

  const value = tokenValue('ghs_');
  const expiresAtMs = world.now() + HOUR_MS;
  world.tokens.set(value, {
    kind: 'installation',
    value,
    installation,
    repos: new Set(found.map(({ id }) => id)),
    permissions: { metadata: 'read', ...(permissions ?? granted) },
    expiresAtMs,
    revoked: false,
  });
  return {
    status: 201,
    body: {
      token: value,
      expires_at: new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
      permissions: { metadata: 'read', ...(permissions ?? granted) },
      repository_selection: names || ids ? 'selected' : 'all',
      repositories: found.map((repo) => ({ id: repo.id, name: repo.name, full_name: fullName(repo) })),
    },
  };
}

const isPermissions = (value: unknown): value is Permissions => typeof value === 'object' && value !== null;

import { randomBytes } from 'node:crypto';
import type { Answer } from './http.ts';
import { appKeys, type Permissions, type World } from './world.ts';

/** The pages of the fake that a browser sees: making an App from a manifest. The person there always agrees. */
export function answerWeb(
  world: World,
  {
    method,
    path,
    query,
    body,
  }: { method: string; path: string; query: URLSearchParams; body: string; url: string },
): Answer {
  const [, organization] = /^\/organizations\/([^/]+)\/settings\/apps\/new$/.exec(path) ?? [];
  if (method !== 'POST' || !(organization !== undefined || path === '/settings/apps/new'))
    return { status: 404, body: '<h1>Not found</h1>' };
  const manifest: unknown = JSON.parse(new URLSearchParams(body).get('manifest') ?? 'null');
  if (!isManifest(manifest)) return { status: 422, body: '<h1>Invalid manifest</h1>' };
  const { privateKey, publicKey } = appKeys();
  const app = {
    id: world.nextId(),
    slug: manifest.name.toLowerCase().replaceAll(' ', '-'),
    owner: organization ?? 'octo',
    permissions: manifest.default_permissions,
    privateKey,
    publicKey,
    webhookSecret: 'w'.repeat(40),
  };
  world.apps.push(app);
  const code = randomBytes(20).toString('hex');
  world.manifestCodes.set(code, app);
  const target = new URL(manifest.redirect_url);
  target.searchParams.set('code', code);
  target.searchParams.set('state', query.get('state') ?? '');
  return { status: 302, headers: { location: target.href }, body: '' };
}

function isManifest(
  value: unknown,
): value is { name: string; redirect_url: string; url: string; default_permissions: Permissions } {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['name', 'redirect_url', 'url'].every(
      (key) => key in value && typeof Reflect.get(value, key) === 'string',
    ) &&
    'default_permissions' in value
  );
}

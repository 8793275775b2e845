import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Manifest } from '../forge/github/manifest.ts';

export interface ManifestPage {
  /** For the browser of the person who makes the App. */
  url: string;
  /** The code with which GitHub sends the browser back. */
  code: Promise<string>;
  close(): Promise<void>;
}

/**
 * A page on loopback that carries a manifest to GitHub, and takes the browser back from there. `state` keeps others from handing in an
 * App of theirs.
 */
export async function serveManifest({
  state,
  target,
  manifestFor,
}: {
  /** Not to be guessed. */
  state: string;
  /** GitHub's page that takes the manifest. */
  target: string;
  manifestFor(redirectUrl: string): Manifest;
}): Promise<ManifestPage> {
  const { promise: code, resolve } = Promise.withResolvers<string>();
  let url = '';
  const server = createServer((request, response) => {
    const say = (status: number, html: string): void => {
      response.writeHead(status, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': `default-src 'none'; frame-ancestors 'none'; form-action ${new URL(target).origin}`,
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
      response.end(`<!doctype html><meta charset="utf-8"><title>bgagent</title>${html}`);
    };
    // Only the page itself: a name that leads here from elsewhere must not read the state.
    if (request.headers.host !== new URL(url).host)
      return say(403, '<p>This page is for this machine only.</p>');
    const asked = new URL(request.url ?? '/', url);
    if (asked.pathname === '/') return say(200, form(target, manifestFor(`${url}/done`)));
    const given = asked.searchParams.get('code') ?? '';
    if (asked.pathname !== '/done' || given === '') return say(404, '<p>Nothing is here.</p>');
    if (asked.searchParams.get('state') !== state)
      return say(400, '<p>This is not the answer to the page that was opened here: begin again.</p>');
    say(200, '<p>Done: go back to the terminal. This page can be closed.</p>');
    resolve(given);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a server without a port');
  url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    code,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const form = (target: string, manifest: Manifest): string =>
  `<form action="${escapeHtml(target)}" method="post">` +
  `<input type="hidden" name="manifest" value="${escapeHtml(JSON.stringify(manifest))}">` +
  `<p>This makes a GitHub App that belongs to you, with no more permissions than bgagent needs.</p>` +
  `<button>Create the GitHub App</button></form>`;

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

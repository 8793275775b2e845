import { request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { appManifest, manifestPage } from '../forge/github/manifest.ts';
import { type ManifestPage, serveManifest } from './github-manifest-page.ts';

const WEB = 'https://github.com';
let page: ManifestPage;
beforeEach(async () => {
  page = await serveManifest({
    state: 'not-to-be-guessed',
    target: manifestPage(WEB, 'octo-org', 'not-to-be-guessed'),
    manifestFor: (redirectUrl) =>
      appManifest({
        name: `"><script>alert(1)</script>`,
        homepage: 'https://example.com',
        redirectUrl,
        webhookUrl: 'https://agents.example.com/v1/github/webhook',
        workflowFiles: true,
      }),
  });
});
afterEach(() => page.close());

/** Asks under another name, as a page of somebody else's could by its DNS. */
const statusAs = (host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request(page.url, { headers: { host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .once('error', reject)
      .end();
  });

it('carries the manifest to the organization’s page, and nothing else out', async () => {
  const answer = await fetch(page.url);
  const html = await answer.text();
  expect(html).toContain('action="https://github.com/organizations/octo-org/settings/apps/new?state=');
  expect(html).not.toContain('<script>');
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
});

it('is there under its own address only', async () => {
  expect(await statusAs('attacker.example.com')).toBe(403);
  expect((await fetch(page.url)).status).toBe(200);
});

it('takes the code of the answer to its own question only', async () => {
  expect((await fetch(`${page.url}/done?code=forged&state=guessed`)).status).toBe(400);
  expect((await fetch(`${page.url}/done?state=not-to-be-guessed`)).status).toBe(404);
  expect((await fetch(`${page.url}/done?code=real&state=not-to-be-guessed`)).status).toBe(200);
  expect(await page.code).toBe('real');
});

it('asks for webhooks and workflow files only where they are wanted', () => {
  const base = { name: 'bgagent', homepage: 'https://example.com', redirectUrl: 'http://127.0.0.1:1/done' };
  expect(appManifest({ ...base, webhookUrl: null, workflowFiles: false })).toEqual({
    name: 'bgagent',
    url: 'https://example.com',
    redirect_url: 'http://127.0.0.1:1/done',
    public: false,
    default_permissions: { contents: 'write', pull_requests: 'write', issues: 'write', metadata: 'read' },
    default_events: [],
  });
  const wide = appManifest({ ...base, webhookUrl: 'https://agents.example.com/hook', workflowFiles: true });
  expect(wide).toMatchObject({
    default_permissions: { workflows: 'write', checks: 'read' },
    hook_attributes: { url: 'https://agents.example.com/hook', active: true },
  });
  expect(wide.default_events).toContain('issue_comment');
});

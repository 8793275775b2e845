import { BgAgentError } from '../../task/errors.ts';

/** Where a GitHub is reached: github.com, GHE.com or a company's own server. */
export interface Addresses {
  /** Without a slash at its end. */
  api: string;
  /** Pages and repositories: `<web>/octo/hello`. */
  web: string;
}

/** The web address follows from that of the API (`https://ghe.example.com/api/v3`). Throws VALIDATION_ERROR for what is no such address. */
export function addressesOf(apiUrl: string): Addresses {
  const url = URL.parse(apiUrl);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `github_api_url: ${JSON.stringify(apiUrl)} is not the address of an API, like https://api.github.com or https://ghe.example.com/api/v3`,
      { field: 'github_api_url' },
    );
  const api = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  // api.github.com, api.octocorp.ghe.com
  const web = url.pathname.startsWith('/api/v3')
    ? url.origin
    : `${url.protocol}//${url.host.replace(/^api\./, '')}`;
  return { api, web };
}

/** Throws REPO_NOT_FOUND_OR_NO_ACCESS for what is not `owner/name`. */
export function splitName(repo: string): { owner: string; repo: string } {
  const [owner, name, ...rest] = repo.split('/');
  if (owner === undefined || name === undefined || owner === '' || name === '' || rest.length > 0)
    throw new BgAgentError(
      'REPO_NOT_FOUND_OR_NO_ACCESS',
      `${repo} is not a repository of GitHub (owner/name)`,
    );
  return { owner, repo: name };
}

/**
 * `owner/name` of a URL of this GitHub (`https://github.com/octo/hello.git`); null for every other reference.
 */
export function nameInUrl({ web }: Addresses, reference: string): string | null {
  const url = URL.parse(reference);
  if (url?.host !== new URL(web).host || url.username !== '' || !/^https?:$/.test(url.protocol)) return null;
  return /^\/([^/]+\/[^/]+?)(?:\.git)?\/?$/.exec(url.pathname)?.[1] ?? null;
}

export const encodeRef = (ref: string): string => ref.split('/').map(encodeURIComponent).join('/');

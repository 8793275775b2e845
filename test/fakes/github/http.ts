import type { Principal } from './access.ts';
import type { Permissions, Repo, World } from './world.ts';

export interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What a handler works with. */
export interface Call {
  world: World;
  apiUrl: string;
  webUrl: string;
  method: string;
  /** Below `/api/v3`. */
  path: string;
  params: Record<string, string>;
  query: URLSearchParams;
  body: Record<string, unknown>;
  principal: Principal;
  /** Of routes below `/repos/{owner}/{repo}`. */
  repo: Repo;
}

export interface Route {
  method: string;
  pattern: RegExp;
  /** Who may ask: an App by its JWT, a repository's permissions (any of the sets), or whoever has a token. */
  access: 'app' | 'anyone' | 'token' | readonly Permissions[];
  /** Counts as creating content. */
  creates: boolean;
  handle(call: Call): Answer;
}

/** `/repos/{owner}/{repo}/pulls/{number}`; `{+ref}` takes slashes, too. */
export function route(
  method: string,
  path: string,
  access: Route['access'],
  handle: (call: Call) => Answer,
): Route {
  const source = path.replace(/\{(\+?)(\w+)\}/g, (_, plus: string, name: string) =>
    plus ? `(?<${name}>.+)` : `(?<${name}>[^/]+)`,
  );
  const creates = method !== 'GET' && path.startsWith('/repos/');
  return { method, pattern: new RegExp(`^${source}$`), access, creates, handle };
}

/** An answer that ends the handling of a request. */
export class Refusal extends Error {
  readonly answer: Answer;
  constructor(
    status: number,
    message: string,
    more: Record<string, unknown> = {},
    headers?: Record<string, string>,
  ) {
    super(message);
    this.answer = {
      status,
      body: { message, documentation_url: 'https://docs.github.com/rest', status: String(status), ...more },
      ...(headers ? { headers } : {}),
    };
  }
}

export const notFound = (): Refusal => new Refusal(404, 'Not Found');

export const invalid = (...errors: unknown[]): Refusal => new Refusal(422, 'Validation Failed', { errors });

/** One page of a list, with the links to the others. */
export function page({ query, apiUrl, path }: Call, items: readonly unknown[]): Answer {
  const size = Math.min(Number(query.get('per_page') ?? 30) || 30, 100);
  const number = Math.max(Number(query.get('page') ?? 1) || 1, 1);
  const last = Math.max(Math.ceil(items.length / size), 1);
  const link = (target: number, rel: string): string => {
    const params = new URLSearchParams(query);
    params.set('page', String(target));
    return `<${apiUrl}${path}?${params}>; rel="${rel}"`;
  };
  const links = [
    ...(number > 1 ? [link(number - 1, 'prev'), link(1, 'first')] : []),
    ...(number < last ? [link(number + 1, 'next'), link(last, 'last')] : []),
  ];
  return {
    status: 200,
    body: items.slice((number - 1) * size, number * size),
    ...(links.length > 0 ? { headers: { link: links.join(', ') } } : {}),
  };
}

export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];

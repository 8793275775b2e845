import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { BgAgentError } from '../../task/errors.ts';
import type { ApiEnv } from '../env.ts';

/**
 * Keeps web pages from driving the platform. A page of another site that makes its own name resolve to this machine (DNS
 * rebinding) still sends that name in `Host`: only addresses, `localhost` and the names given here are served. A page that
 * calls across origins says so in `Origin`: only the origin that is asked is served.
 */
export function hostCheck(allowedHosts: readonly string[]): MiddlewareHandler<ApiEnv> {
  const names = new Set(['localhost', ...allowedHosts.map((name) => name.toLowerCase())]);
  return async (c, next) => {
    const host = c.req.header('host') ?? '';
    if (!isServed(host, names))
      throw new BgAgentError(
        'FORBIDDEN',
        `Host: "${printable(host)}" is not served here; use localhost, an address, or add the name to allowed_hosts`,
      );
    const origin = c.req.header('origin');
    if (origin !== undefined && !isOriginOf(origin, host))
      throw new BgAgentError(
        'FORBIDDEN',
        `Origin: pages of "${printable(origin)}" may not call this platform`,
      );
    await next();
  };
}

function isServed(host: string, names: ReadonlySet<string>): boolean {
  const [, bracketed, plain] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::[0-9]{1,5})?$/.exec(host) ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  if (plain === undefined) return false;
  return isIP(plain) === 4 || names.has(plain.toLowerCase());
}

const isOriginOf = (origin: string, host: string): boolean =>
  URL.canParse(origin) &&
  /^https?:$/.test(new URL(origin).protocol) &&
  new URL(origin).host === asUrlHost(host);

/** `Host` as a URL writes it: without the protocol's own port, in lower case. */
const asUrlHost = (host: string): string =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).host : host;

const printable = (value: string): string => value.slice(0, 100).replace(/[^\x20-\x7e]/g, '?');

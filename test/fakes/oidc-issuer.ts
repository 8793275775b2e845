import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

/** An OIDC provider on loopback: publishes its keys, signs what it is told to. */
export interface OidcIssuer {
  /** What `iss` of its tokens is. */
  issuer: string;
  /** Its public key, as it publishes it. */
  publicJwk(): JWK;
  /** A token; `claims` win over what a good one has, undefined takes a claim out. */
  token(claims?: JWTPayload, header?: { kid?: string }): Promise<string>;
  /** Signs with a new key from now on, and publishes only that. */
  rotate(): Promise<void>;
  /** What the next answers are instead; null = what they should be. */
  fail(failure: { path: RegExp; status?: number; body?: string; hang?: boolean } | null): void;
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export async function createOidcIssuer({ now }: { now: () => number }): Promise<OidcIssuer> {
  const requests: string[] = [];
  let failure: Parameters<OidcIssuer['fail']>[0] = null;
  let key = await makeKey();

  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    requests.push(path);
    if (failure?.path.test(path)) {
      if (failure.hang) return;
      response
        .writeHead(failure.status ?? 200, { 'content-type': 'application/json' })
        .end(failure.body ?? '');
      return;
    }
    const body = path.endsWith('/.well-known/openid-configuration')
      ? { issuer, jwks_uri: `${issuer}/keys` }
      : path.endsWith('/keys')
        ? { keys: [key.jwk] }
        : undefined;
    response
      .writeHead(body ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pool`;

  return {
    issuer,
    requests,
    publicJwk: () => key.jwk,
    token(claims = {}, header = {}) {
      const seconds = Math.floor(now() / 1_000);
      const good = { iss: issuer, aud: 'bgagent', sub: 'ada', iat: seconds, exp: seconds + 600 };
      return new SignJWT({ ...good, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: key.jwk.kid ?? '', ...header })
        .sign(key.privateKey);
    },
    async rotate() {
      key = await makeKey();
    },
    fail(next) {
      failure = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function makeKey() {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: randomUUID(), alg: 'ES256', use: 'sig' };
  return { privateKey, jwk };
}

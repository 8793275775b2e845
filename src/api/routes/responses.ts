import type { z } from '@hono/zod-openapi';
import type { ApiKeyScope } from '../../task/scopes.ts';
import { errorEnvelopeSchema } from '../schemas/envelope.ts';

/** A JSON answer in the OpenAPI document. */
export const json = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});

const DESCRIPTIONS = {
  400: 'The request is not valid; the message names the field and what is allowed.',
  401: 'No valid credentials.',
  403: 'Not allowed: another user’s, or the key lacks a scope.',
  404: 'No such thing.',
  409: 'Not in its present state.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  422: 'The repository is not onboarded or can’t be used.',
  429: 'Too many requests; Retry-After says how long to wait.',
  503: 'Not now; try again.',
} as const;

type FailureStatus = keyof typeof DESCRIPTIONS;

const failure = (status: FailureStatus) => json(DESCRIPTIONS[status], errorEnvelopeSchema);

/** The failures that every authenticated endpoint has; 503 also when nobody can say whether a token is good. */
export const COMMON_FAILURES = { 400: failure(400), 401: failure(401), 403: failure(403), 503: failure(503) };

/** Those and the failures of a JSON body. */
export const BODY_FAILURES = { ...COMMON_FAILURES, 413: failure(413), 415: failure(415) };

export const TOO_LARGE = { 413: failure(413) };
export const NOT_FOUND = { 404: failure(404) };
export const CONFLICT = { 409: failure(409) };
export const UNPROCESSABLE = { 422: failure(422) };
export const TOO_MANY = { 429: failure(429) };
export const UNAVAILABLE = { 503: failure(503) };

/** How a caller shows who it is, and the scope that it must have. */
export const keyWith = (scope: ApiKeyScope): Record<string, string[]>[] => [
  { apiKey: [scope] },
  { bearer: [scope] },
];

import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { BgAgentError, ERRORS, type ErrorCategory, type ErrorCode, messageOf } from '../task/errors.ts';
import type { Log } from '../task/log.ts';
import type { ApiEnv } from './env.ts';
import type { ErrorEnvelope } from './schemas/envelope.ts';

const STATUS_OF_CODE: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  UNAUTHORIZED: 401,
  TASK_NOT_FOUND: 404,
  TRACE_NOT_AVAILABLE: 404,
  REPO_NOT_FOUND: 404,
  API_KEY_NOT_FOUND: 404,
  WEBHOOK_NOT_FOUND: 404,
  DELIVERY_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REPO_NOT_ONBOARDED: 422,
  // Runners ask again.
  GITHUB_UNREACHABLE: 503,
  INTERNAL_ERROR: 500,
};

const STATUS_OF_CATEGORY: Record<ErrorCategory, ContentfulStatusCode> = {
  input: 400,
  auth: 403,
  limit: 429,
  repository: 422,
  agent: 422,
  compute: 503,
  platform: 503,
  conflict: 409,
};

const statusOf = (code: ErrorCode): ContentfulStatusCode =>
  STATUS_OF_CODE[code] ?? STATUS_OF_CATEGORY[ERRORS[code].category];

/** Turns whatever was thrown into the envelope. What we didn't foresee is logged in full and told in general words only. */
export function toErrorResponse(error: unknown, c: Context<ApiEnv>, log: Log): Response {
  const known = toKnown(error);
  const requestId = c.get('requestId');
  if (known.status >= 500)
    log.error(
      {
        event: known.code === 'INTERNAL_ERROR' ? 'api.request.crashed' : 'api.request.failed',
        error_id: 'API_REQUEST_FAILED',
        request_id: requestId,
        method: c.req.method,
        path: c.req.path,
        code: known.code,
        error: messageOf(error),
        stack: known.code === 'INTERNAL_ERROR' && error instanceof Error ? error.stack : undefined,
      },
      'a request failed',
    );
  if (known.status === 401) c.header('WWW-Authenticate', 'Bearer realm="bgagent"');
  if (known.retryAfterSeconds !== undefined) c.header('Retry-After', String(known.retryAfterSeconds));
  const envelope: ErrorEnvelope = {
    error: { code: known.code, message: known.message, request_id: requestId },
  };
  return c.json(envelope, known.status);
}

interface Known {
  code: ErrorCode;
  status: ContentfulStatusCode;
  message: string;
  retryAfterSeconds?: number | undefined;
}

function toKnown(error: unknown): Known {
  if (error instanceof BgAgentError && error.code !== 'INTERNAL_ERROR')
    return {
      code: error.code,
      status: statusOf(error.code),
      message: error.message,
      retryAfterSeconds: error.retryAfterSeconds,
    };
  if (error instanceof HTTPException && error.status < 500)
    return { code: 'VALIDATION_ERROR', status: error.status as ContentfulStatusCode, message: error.message };
  return {
    code: 'INTERNAL_ERROR',
    status: 500,
    message: 'something went wrong inside the platform; its log has the reason under the request id',
  };
}

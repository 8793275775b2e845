import { OpenAPIHono, type z } from '@hono/zod-openapi';
import { BgAgentError } from '../task/errors.ts';
import type { Principal } from './api-keys.ts';
import type { Sender } from './webhooks.ts';

/** What a request carries through the middleware. */
export interface ApiEnv {
  Variables: {
    requestId: string;
    /** Set by `requires`. */
    principal: Principal;
    /** Set by `checkSignature`: the webhook that signed. */
    sender?: Sender;
  };
}

export type ApiApp = OpenAPIHono<ApiEnv>;

/** An app whose validators throw VALIDATION_ERROR naming field and remedy. */
export const createApp = (): ApiApp =>
  new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error, result.target);
    },
  });

/** The first three things that are wrong, each with its field. */
export function invalid(error: z.ZodError, target: string): BgAgentError {
  const whole = target === 'json' ? 'body' : target;
  const issues = error.issues.map(({ path, message }) => ({ field: path.join('.') || whole, message }));
  const message = issues
    .slice(0, 3)
    .map((issue) => `${issue.field}: ${issue.message}`)
    .join('; ');
  return new BgAgentError('VALIDATION_ERROR', message.slice(0, 1_000), { field: issues[0]?.field ?? whole });
}

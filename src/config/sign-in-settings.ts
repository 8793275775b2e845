import { z } from 'zod';

/** Settings of people who sign in by an OIDC provider. */
export const signInSettings = {
  oidc_issuer: z
    .url()
    .nullable()
    .default(null)
    .describe(
      'OIDC provider (Cognito: the user pool) whose tokens the API takes besides API keys; null = none.',
    ),
  oidc_audience: z
    .array(z.string())
    .default([])
    .describe(
      'Programs whose tokens are taken: one of these must be the `aud` of a token, or its `client_id` when it has no `aud`.',
    ),
  oidc_user_claim: z
    .string()
    .default('sub')
    .describe(
      'Claim of a token that is the user id. Choose one that people can’t set themselves; `email` must be verified.',
    ),
  oidc_groups_claim: z
    .string()
    .default('groups')
    .describe('Claim of a token that lists groups; Cognito: `cognito:groups`.'),
  oidc_admin_group: z
    .string()
    .nullable()
    .default(null)
    .describe('Group whose members are admins; null = nobody is by a token.'),
  oidc_clock_tolerance_s: z
    .number()
    .min(0)
    .max(600)
    .default(60)
    .describe('How far the clock of the OIDC provider may be off.'),
};

import { z } from 'zod';

/** Settings of what looks for prompt attacks. */
export const screenSettings = {
  screen: z
    .enum(['rules', 'bedrock'])
    .default('rules')
    .describe('What looks for prompt attacks: rules, offline, or a guardrail of Amazon Bedrock as well.'),
  guardrail_id: z
    .string()
    .nullable()
    .default(null)
    .describe('Id or ARN of the guardrail, in `bedrock_region`; its prompt-attack filter is to be MEDIUM.'),
  guardrail_version: z
    .string()
    .regex(/^[1-9]\d*$/, 'must be a numbered version')
    .nullable()
    .default(null)
    .describe('Numbered version of the guardrail.'),
  guardrail_units_per_s: z
    .number()
    .min(1)
    .default(25)
    .describe('Text units (1,000 characters) that the account may have judged a second.'),
};

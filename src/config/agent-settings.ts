import { z } from 'zod';
import { modelPriceSchema } from '../task/protocol.ts';

/** Settings of the coding agents and of the models that they work with. */
export const agentSettings = {
  default_agent: z
    .string()
    .default('command')
    .describe('Agent of a task when neither task nor repository names one.'),
  default_agent_command: z
    .string()
    .nullable()
    .default(null)
    .describe('Command line of the `command` agent when the repository has none.'),
  claude_provider: z
    .enum(['anthropic', 'bedrock'])
    .default('anthropic')
    .describe('Who serves the models of the `claude` agent.'),
  claude_model: z
    .string()
    .default('claude-sonnet-5-5')
    .describe('Model of the `claude` agent when neither task nor repository names one.'),
  claude_small_model: z
    .string()
    .default('claude-haiku-5-5')
    .describe('Model for the side jobs of the `claude` agent.'),
  codex_model: z
    .string()
    .default('gpt-6-sol')
    .describe('Model of the `codex` agent when neither task nor repository names one.'),
  anthropic_base_url: z
    .url()
    .nullable()
    .default(null)
    .describe('Another server that speaks the Anthropic API; ANTHROPIC_BASE_URL sets it, too.'),
  openai_base_url: z
    .url()
    .nullable()
    .default(null)
    .describe('Another server that speaks the OpenAI API; OPENAI_BASE_URL sets it, too.'),
  bedrock_region: z.string().default('us-east-1').describe('AWS region of the models on Bedrock.'),
  bedrock_role_arn: z
    .string()
    .regex(
      /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
      'must be like arn:aws:iam::123456789012:role/name',
    )
    .nullable()
    .default(null)
    .describe(
      'Role of AWS that is taken on for each task, for an hour and its models only; null = runners get the platform’s own keys for Bedrock.',
    ),
  model_prices: z
    .record(z.string(), modelPriceSchema)
    .default({})
    .describe(
      'US dollars for a million tokens, by model: `{input, output, cache_read, cache_write, cache_write_1h, long}`; an entry stands for the built-in one as a whole.',
    ),
};

/** The two model APIs that agents speak: Anthropic Messages and OpenAI Responses. */
export type ModelApi = 'anthropic' | 'openai';

import { z } from '@hono/zod-openapi';
import { filledText, strict } from './envelope.ts';

export const nudgeSchema = strict({
  /** What to tell the agent while it works. */
  message: filledText(2_000),
}).openapi('NudgeRequest');
export type NudgeRequest = z.input<typeof nudgeSchema>;

export const nudgedSchema = z
  .object({ task_id: z.string(), nudge_id: z.string(), submitted_at: z.string() })
  .openapi('Nudge');
export type NudgeAnswer = z.infer<typeof nudgedSchema>;

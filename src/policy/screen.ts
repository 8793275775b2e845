/** Looks for prompt attacks in text from outside. `rules` works offline; `bedrock` asks a guardrail. */
export interface Screen {
  /**
   * Judges one text. Blocks at MEDIUM and HIGH confidence, lets LOW pass.
   * Throws SERVICE_UNAVAILABLE when it can't judge: callers fail closed, nothing unscreened reaches an agent.
   */
  check(text: string, context: { source: TextSource }): Promise<Verdict>;
}

/** Where a text came from. */
export type TextSource = 'task_description' | 'issue' | 'pull_request' | 'comment' | 'nudge';

/** How sure a filter is that a text is an attack, in growing order. */
export const CONFIDENCES = ['LOW', 'MEDIUM', 'HIGH'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export type Verdict = { kind: 'pass' } | { kind: 'blocked'; filter: string; confidence: Confidence };

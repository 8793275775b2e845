import { setTimeout as delay } from 'node:timers/promises';
import type { ApplyGuardrailCommandOutput, BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { awsFailure } from '../aws/failure.ts';
import { BgAgentError } from '../task/errors.ts';
import { CONFIDENCES, type Confidence, type Screen, type Verdict } from './screen.ts';

export interface BedrockScreenOptions {
  region: string;
  /** Id or ARN. */
  guardrailId: string;
  /** A numbered version: the draft can change under a running platform. */
  guardrailVersion: string;
  /** Text units (1,000 characters) that the account may have judged a second. Default 25, which every region grants. */
  unitsPerSecond?: number;
  /** Instead of Amazon's own, for tests. */
  endpoint?: string;
  now?(): number;
  /** Milliseconds. */
  sleep?(ms: number): Promise<unknown>;
}

/** Characters of one text unit. */
const UNIT = 1_000;
/** Under the 25 units that one call may hold. */
const PART = 20 * UNIT;
/** An attack that is cut in two is whole in the next part. */
const OVERLAP = UNIT;

/** Asks a guardrail of Amazon Bedrock, whose prompt-attack filter is to have the input strength MEDIUM. */
export function createBedrockScreen(options: BedrockScreenOptions): Screen {
  const { guardrailId, guardrailVersion, now = Date.now, sleep = delay } = options;
  const msPerUnit = 1_000 / (options.unitsPerSecond ?? 25);
  if (!/^[1-9]\d*$/.test(guardrailVersion))
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `guardrail_version: must be a numbered version, not "${guardrailVersion}"`,
      { field: 'guardrail_version' },
    );
  let client: Promise<Sdk> | undefined;
  let freeAt = 0;

  /** Parts take turns, so that a long text does not use up what the account may ask in a second. */
  async function turn(part: string): Promise<void> {
    const at = Math.max(now(), freeAt);
    freeAt = at + Math.ceil(part.length / UNIT) * msPerUnit;
    if (at > now()) await sleep(at - now());
  }

  async function judge(part: string): Promise<Verdict> {
    client ??= connect(options);
    const { runtime, ApplyGuardrailCommand } = await client;
    await turn(part);
    const answer = await runtime
      .send(
        new ApplyGuardrailCommand({
          guardrailIdentifier: guardrailId,
          guardrailVersion,
          source: 'INPUT',
          content: [{ text: { text: part } }],
        }),
      )
      .catch((cause: unknown) => {
        throw failure(cause, options);
      });
    return verdictOf(answer);
  }

  return {
    async check(text) {
      for (const part of parts(text)) {
        const verdict = await judge(part);
        if (verdict.kind === 'blocked') return verdict;
      }
      return { kind: 'pass' };
    },
  };
}

/** Overlapping parts, none longer than one call may hold; none of an empty text. */
export function parts(text: string): string[] {
  if (text.trim() === '') return [];
  const found: string[] = [];
  for (let start = 0; ; start += PART - OVERLAP) {
    found.push(text.slice(start, start + PART));
    if (start + PART >= text.length) return found;
  }
}

/**
 * A filter's confidence decides, not what the guardrail did about it: one that is set up more or less strictly than MEDIUM is
 * understood alike. Whatever else the guardrail is made to block is blocked.
 */
export function verdictOf({
  action,
  assessments = [],
}: Pick<ApplyGuardrailCommandOutput, 'action' | 'assessments'>): Verdict {
  const filters = assessments.flatMap((assessment) => assessment.contentPolicy?.filters ?? []);
  for (const { type = 'CONTENT', confidence } of filters) {
    if (isConfidence(confidence) && confidence !== 'LOW')
      return { kind: 'blocked', filter: type, confidence };
  }
  const other = assessments.flatMap((assessment) => [
    ...(assessment.topicPolicy?.topics ?? []).map((topic) => ({ name: 'TOPIC', did: topic.action })),
    ...(assessment.wordPolicy?.customWords ?? []).map((word) => ({ name: 'WORD', did: word.action })),
    ...(assessment.wordPolicy?.managedWordLists ?? []).map((word) => ({ name: 'WORD', did: word.action })),
    ...(assessment.sensitiveInformationPolicy?.piiEntities ?? []).map((entity) => ({
      name: 'SENSITIVE_INFORMATION',
      did: entity.action,
    })),
    ...(assessment.sensitiveInformationPolicy?.regexes ?? []).map((regex) => ({
      name: 'SENSITIVE_INFORMATION',
      did: regex.action,
    })),
  ]);
  const blocking = other.find(({ did }) => did === 'BLOCKED');
  if (blocking) return { kind: 'blocked', filter: blocking.name, confidence: 'HIGH' };
  // It stepped in for a reason that this version doesn't know: not ours to overrule.
  if (action === 'GUARDRAIL_INTERVENED' && filters.length === 0 && other.length === 0)
    return { kind: 'blocked', filter: 'GUARDRAIL', confidence: 'HIGH' };
  return { kind: 'pass' };
}

const isConfidence = (value: unknown): value is Confidence =>
  CONFIDENCES.some((confidence) => confidence === value);

interface Sdk {
  runtime: BedrockRuntimeClient;
  ApplyGuardrailCommand: typeof import('@aws-sdk/client-bedrock-runtime').ApplyGuardrailCommand;
}

/** The SDK is loaded when the first text comes. */
async function connect({ region, endpoint }: BedrockScreenOptions): Promise<Sdk> {
  const { BedrockRuntimeClient: Client, ApplyGuardrailCommand } = await import(
    '@aws-sdk/client-bedrock-runtime'
  );
  const runtime = new Client({ region, ...(endpoint ? { endpoint } : {}), maxAttempts: 4 });
  return { runtime, ApplyGuardrailCommand };
}

function failure(error: unknown, { guardrailId, region }: BedrockScreenOptions): BgAgentError {
  const known = awsFailure(error, {
    action: 'bedrock:ApplyGuardrail',
    resource: `guardrail ${guardrailId}`,
    setting: 'guardrail_id and guardrail_version',
    region,
  });
  const pace =
    known.code === 'AWS_THROTTLED' ? '; lower guardrail_units_per_s, or ask for a higher quota' : '';
  return new BgAgentError('SERVICE_UNAVAILABLE', `${known.message}${pace}`, { cause: error });
}

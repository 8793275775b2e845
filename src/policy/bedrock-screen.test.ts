import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { screenContract } from '../../test/contracts/screen.contract.ts';
import { type GuardrailServer, startGuardrailServer } from '../../test/fakes/guardrail-server.ts';
import { createBedrockScreen, parts, verdictOf } from './bedrock-screen.ts';

let server: GuardrailServer;
beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  server = await startGuardrailServer();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

const screenWith = (more: { sleep?(ms: number): Promise<unknown>; guardrailId?: string } = {}) =>
  createBedrockScreen({
    region: 'eu-west-1',
    guardrailId: 'gr1',
    guardrailVersion: '3',
    endpoint: server.url,
    sleep: async () => undefined,
    ...more,
  });

screenContract({ name: 'bedrock', create: async () => screenWith() });

describe('the guardrail', () => {
  const source = { source: 'issue' } as const;
  beforeEach(() => {
    server.texts.length = 0;
  });

  it('is asked about a long text in parts that overlap, one after the other', async () => {
    const text = Array.from({ length: 9_000 }, (_, line) => `line ${line}\n`).join('');
    expect(await screenWith().check(text, source)).toEqual({ kind: 'pass' });
    expect(server.texts.length).toBeGreaterThan(4);
    for (const [index, part] of server.texts.entries()) {
      expect(part.length).toBeLessThanOrEqual(20_000);
      const next = server.texts[index + 1];
      if (next !== undefined) expect(next.startsWith(part.slice(-1_000))).toBe(true);
    }
  });

  it('is asked no faster than the account may', async () => {
    const waits: number[] = [];
    const screen = screenWith({ sleep: async (ms) => void waits.push(ms) });
    await screen.check('a'.repeat(50_000), source);
    // 20 and 20 of 25 units a second come first; the clock has hardly moved.
    expect(waits).toHaveLength(2);
    expect(waits[0]).toBeGreaterThan(700);
    expect(waits[1]).toBeGreaterThan(1_400);
  });

  it('is asked again when it is throttled', async () => {
    server.failNext(2, { status: 429, name: 'ThrottlingException', message: 'slow down' });
    expect(await screenWith().check('Fix the typo.', source)).toEqual({ kind: 'pass' });
  });

  it.each([
    ['AccessDeniedException', 403, /bedrock:ApplyGuardrail/],
    ['ResourceNotFoundException', 404, /guardrail_id and guardrail_version/],
    ['ValidationException', 400, /refused bedrock:ApplyGuardrail on guardrail gr1/],
    ['ExpiredTokenException', 403, /credentials for bedrock:ApplyGuardrail are missing, expired or wrong/],
    ['SomethingNew', 400, /SomethingNew/],
  ])('fails closed with the remedy: %s', async (name, status, remedy) => {
    server.failNext(1, { status, name, message: 'no' });
    await expect(screenWith().check('Fix the typo.', source)).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(remedy),
    });
  });

  it('that is not there is said with its name', async () => {
    await expect(screenWith({ guardrailId: 'gone' }).check('x', source)).rejects.toThrow(
      /no guardrail gone in eu-west-1/,
    );
  });

  it('must have a number: the draft may change', () => {
    expect(() =>
      createBedrockScreen({ region: 'eu-west-1', guardrailId: 'gr1', guardrailVersion: 'DRAFT' }),
    ).toThrow(/guardrail_version/);
  });
});

describe('a long text', () => {
  it('is covered wholly by its parts', () => {
    for (const length of [1, 19_999, 20_000, 20_001, 39_000, 39_001, 400_000]) {
      const text = Array.from({ length }, (_, at) => String.fromCharCode(97 + (at % 26))).join('');
      const all = parts(text);
      expect(all.map((part, index) => part.slice(index === 0 ? 0 : 1_000)).join('')).toBe(text);
    }
    expect(parts('  \n')).toEqual([]);
  });
});

describe('an answer of the guardrail', () => {
  const attack = (confidence: 'LOW' | 'MEDIUM' | 'HIGH', action: 'BLOCKED' | 'NONE') =>
    ({
      action: action === 'BLOCKED' ? 'GUARDRAIL_INTERVENED' : 'NONE',
      assessments: [{ contentPolicy: { filters: [{ type: 'PROMPT_ATTACK', confidence, action }] } }],
    }) as const;

  it.each([
    ['LOW that it blocked passes', attack('LOW', 'BLOCKED'), 'pass'],
    ['MEDIUM that it let pass is blocked', attack('MEDIUM', 'NONE'), 'blocked'],
    ['HIGH is blocked', attack('HIGH', 'BLOCKED'), 'blocked'],
    ['nothing found passes', { action: 'NONE', assessments: [] } as const, 'pass'],
    [
      'a denied topic is blocked',
      {
        action: 'GUARDRAIL_INTERVENED',
        assessments: [{ topicPolicy: { topics: [{ name: 'x', type: 'DENY', action: 'BLOCKED' }] } }],
      } as const,
      'blocked',
    ],
    [
      'masked personal data passes',
      {
        action: 'GUARDRAIL_INTERVENED',
        assessments: [
          {
            sensitiveInformationPolicy: {
              piiEntities: [{ match: 'x', type: 'NAME', action: 'ANONYMIZED' }],
              regexes: [],
            },
          },
        ],
      } as const,
      'pass',
    ],
    [
      'stepping in for an unknown reason is blocked',
      { action: 'GUARDRAIL_INTERVENED', assessments: [{}] } as const,
      'blocked',
    ],
  ])('%s', (_, { action, assessments }, kind) => {
    expect(verdictOf({ action, assessments: structuredClone(assessments) as never }).kind).toBe(kind);
  });
});

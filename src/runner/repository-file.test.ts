import { describe, expect, it } from 'vitest';
import { aPayload } from '../../test/fixtures/payload.ts';
import type { Payload } from '../task/protocol.ts';
import { applyRepositoryFile, parseRepositoryFile } from './repository-file.ts';

const NOW = Date.parse('2030-01-01T00:00:00.000Z');

function payloadWith(egress: string[], limits: Partial<Payload['limits']> = {}): Payload {
  const payload = aPayload({ url: '/hello.git', sha: 'a'.repeat(40) });
  return {
    ...payload,
    commands: { setup: 'platform setup', build: 'platform build', lint: null, test: null },
    sandbox: { ...payload.sandbox, egress },
    limits: { ...payload.limits, deadline_at: new Date(NOW + 600_000).toISOString(), ...limits },
  };
}

describe('.bgagent.yaml', () => {
  it('is read whole', async () => {
    const text = [
      'setup: npm ci',
      'verify:\n  build: npm run build\n  lint: npm run lint\n  test: npm test\n  timeout_s: 60',
      'agent:\n  repair: false',
      'egress: [registry.npmjs.org]',
      'limits:\n  max_turns: 10\n  max_budget_usd: 0.5\n  deadline_s: 60',
    ].join('\n');
    expect(await parseRepositoryFile(text)).toEqual({
      setup: 'npm ci',
      verify: { build: 'npm run build', lint: 'npm run lint', test: 'npm test', timeout_s: 60 },
      agent: { repair: false },
      egress: ['registry.npmjs.org'],
      limits: { max_turns: 10, max_budget_usd: 0.5, deadline_s: 60 },
    });
  });

  it.each(['', '# nothing yet\n', '---\n'])('may be empty: %j', async (text) => {
    expect(await parseRepositoryFile(text)).toEqual({});
  });

  it.each([
    ['no YAML', 'setup: [', /line 1/],
    ['a list', '- a', /the file: /],
    ['a name that is not known', 'sandbox: off', /there is no `sandbox`; known: setup/],
    ['a name that is not known further down', 'verify:\n  biuld: x', /there is no `verify\.biuld`/],
    ['a value of another kind', 'limits:\n  max_turns: many', /limits\.max_turns: /],
    ['a value out of range', 'limits:\n  max_turns: 0', /limits\.max_turns: /],
    ['an empty command', 'verify:\n  build: " "', /verify\.build: /],
    ['the same name twice', 'setup: a\nsetup: b', /line 2/],
    ['references', 'setup: &a x\nverify:\n  build: *a', /references/],
    [
      'references that stand for gigabytes',
      [
        'a: &a [x,x,x,x,x,x,x,x,x]',
        ...'bcdefgh'.split('').map((n, i) => `${n}: &${n} [${Array(9).fill(`*${'abcdefg'[i]}`)}]`),
      ].join('\n'),
      /references/,
    ],
  ])('with %s is refused, and said which part (N1)', async (_, text, message) => {
    await expect(parseRepositoryFile(text)).rejects.toMatchObject({
      code: 'REPOSITORY_FILE_INVALID',
      message: expect.stringMatching(message),
    });
  });

  it('replaces commands, and takes one away by null', () => {
    const { payload } = applyRepositoryFile(
      payloadWith([]),
      { setup: null, verify: { test: 'npm test' } },
      NOW,
    );
    expect(payload.commands).toEqual({ setup: null, build: 'platform build', lint: null, test: 'npm test' });
  });

  it('lowers limits', () => {
    const { payload, refused } = applyRepositoryFile(
      payloadWith([], { max_turns: 100, max_budget_usd: null }),
      {
        limits: { max_turns: 10, max_budget_usd: 1, deadline_s: 60 },
        verify: { timeout_s: 5 },
        agent: { repair: false },
      },
      NOW,
    );
    expect(payload.limits).toMatchObject({
      max_turns: 10,
      max_budget_usd: 1,
      deadline_at: '2030-01-01T00:01:00.000Z',
    });
    expect(payload.verification).toEqual({ timeout_s: 5, repair: false });
    expect(refused).toEqual([]);
  });

  it('raises none, and says so', () => {
    const given = payloadWith([], { max_turns: 10, max_budget_usd: 1 });
    const off = { ...given, verification: { timeout_s: 60, repair: false } };
    const { payload, refused } = applyRepositoryFile(
      off,
      {
        limits: { max_turns: 500, max_budget_usd: 100, deadline_s: 172_800 },
        verify: { timeout_s: 3_600 },
        agent: { repair: true },
      },
      NOW,
    );
    expect({ limits: payload.limits, verification: payload.verification }).toEqual({
      limits: off.limits,
      verification: off.verification,
    });
    expect(refused).toEqual([
      expect.stringContaining('verify.timeout_s'),
      expect.stringContaining('limits.max_turns'),
      expect.stringContaining('limits.max_budget_usd'),
    ]);
  });

  it.each<[given: string[], wanted: string[], left: string[]]>([
    [['a.example', 'b.example'], ['a.example'], ['a.example']],
    [['a.example'], ['evil.example'], []],
    [['a.example'], [], []],
    [[], ['a.example'], []],
    [['*.example.com'], ['a.example.com'], ['a.example.com']],
    [['*.example.com'], ['*.a.example.com'], ['*.a.example.com']],
    [['a.example.com', 'b.org'], ['*.example.com'], ['a.example.com']],
    [['*.a.example.com'], ['*.example.com'], ['*.a.example.com']],
    [['a.example.com'], ['*.com', '*'], ['a.example.com']],
    [['*.example.com'], ['example.com', 'badexample.com', 'example.com.evil.org'], []],
    [['a.example'], ['a.example:443'], ['a.example:443']],
    [['a.example:443'], ['a.example'], ['a.example:443']],
    [['a.example:443'], ['a.example:22'], []],
    [['*'], ['a.example'], ['a.example']],
    [['a.example'], ['*:22'], []],
    [['A.Example'], ['a.exAMPLE'], ['a.example']],
  ])('of the hosts %j and its own %j leaves %j', (given, wanted, left) => {
    expect(applyRepositoryFile(payloadWith(given), { egress: wanted }, NOW).payload.sandbox.egress).toEqual(
      left,
    );
  });
});

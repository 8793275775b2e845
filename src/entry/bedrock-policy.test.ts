import { describe, expect, it } from 'vitest';
import { sessionPolicy } from './bedrock-policy.ts';

const ROLE = { roleArn: 'arn:aws:iam::123456789012:role/models', region: 'eu-central-1' };
const resources = (...models: string[]): string[] =>
  sessionPolicy(models, ROLE).Statement.flatMap(({ Resource }) => Resource);

describe('the policy of a session', () => {
  it('lets a task call its models and count for them, and nothing else', () => {
    expect(sessionPolicy(['anthropic.claude-sonnet-4-5-20250929-v1:0'], ROLE)).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['bedrock:InvokeModel*', 'bedrock:CountTokens'],
          Resource: ['arn:aws:bedrock:*::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0'],
        },
      ],
    });
  });

  it('names a profile of the system with the model that it calls', () => {
    expect(resources('eu.anthropic.claude-haiku-4-5-20251001-v1:0')).toEqual([
      'arn:aws:bedrock:*::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0',
      'arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0',
    ]);
    expect(resources('global.anthropic.claude-x')[0]).toBe(
      'arn:aws:bedrock:*::foundation-model/anthropic.claude-x',
    );
  });

  it('lets a profile of one’s own reach its model, and no model without the profile', () => {
    const own = 'arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc123';
    expect(sessionPolicy([own], ROLE).Statement).toMatchObject([
      { Resource: [own] },
      {
        Resource: ['arn:aws:bedrock:*::foundation-model/*', 'arn:aws:bedrock:*:*:inference-profile/*'],
        Condition: { StringEquals: { 'bedrock:InferenceProfileArn': [own] } },
      },
    ]);
  });

  it('goes by the partition of the role', () => {
    const roleArn = 'arn:aws-us-gov:iam::123456789012:role/models';
    const [statement] = sessionPolicy(['anthropic.claude-x'], { ...ROLE, roleArn }).Statement;
    expect(statement?.Resource).toEqual(['arn:aws-us-gov:bedrock:*::foundation-model/anthropic.claude-x']);
  });

  it('fits into what AWS takes', () => {
    const models = [
      'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'eu.anthropic.claude-haiku-4-5-20251001-v1:0',
    ];
    expect(JSON.stringify(sessionPolicy(models, ROLE)).length).toBeLessThan(2_048);
  });

  it.each([
    '*',
    'anthropic.*',
    'a?',
    `\${aws:username}`,
    'a b',
    '',
    'arn:aws:s3:::bucket/key',
    'arn:aws:bedrock:eu-central-1:123456789012:agent/x',
  ])('is not made for %j, which would stand for more than a model', (model) => {
    expect(() => sessionPolicy([model], ROLE)).toThrow(/model_id/);
  });
});

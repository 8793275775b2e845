import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { BgAgentError } from '../task/errors.ts';
import { awsFailure } from './failure.ts';

const use = {
  action: 'dynamodb:GetItem',
  resource: 'table tasks',
  setting: 'tableNames.tasks',
  region: 'eu-central-1',
};
const answered = (name: string, status: number): Error =>
  Object.assign(new Error('as AWS says'), { name, $metadata: { httpStatusCode: status } });

describe('a failure of AWS', () => {
  it.each([
    ['ExpiredTokenException', 400, 'AWS_CREDENTIALS_REFUSED', /dynamodb:GetItem/],
    ['AccessDeniedException', 400, 'AWS_ACCESS_DENIED', /dynamodb:GetItem on table tasks.*allow it/],
    [
      'ResourceNotFoundException',
      400,
      'AWS_RESOURCE_MISSING',
      /no table tasks in eu-central-1.*tableNames\.tasks/,
    ],
    ['PermanentRedirect', 301, 'AWS_REGION_WRONG', /table tasks.*is not in eu-central-1/],
    ['ProvisionedThroughputExceededException', 400, 'AWS_THROTTLED', /slows down/],
    ['InternalServerError', 500, 'AWS_UNAVAILABLE', /did not answer/],
    ['ValidationException', 400, 'AWS_REFUSED', /refused dynamodb:GetItem/],
    ['SomethingNew', 403, 'AWS_ACCESS_DENIED', /allow it/],
    ['SomethingNew', 429, 'AWS_THROTTLED', /slows down/],
  ])('%s (%i) is %s and names what mends it', (name, status, code, message) => {
    const failure = awsFailure(answered(name, status), use);
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(failure.message).toContain('as AWS says');
  });

  it('of the network is one that passes', async () => {
    const client = new DynamoDBClient({
      endpoint: 'http://127.0.0.1:9',
      region: 'eu-central-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
    });
    const failure = await client
      .send(new GetItemCommand({ TableName: 'tasks', Key: { id: { S: '1' } } }))
      .then(
        () => undefined,
        (error: unknown) => awsFailure(error, use),
      );
    expect(failure).toMatchObject({ code: 'AWS_UNAVAILABLE', retryable: true });
    client.destroy();
  });

  it('of missing credentials says so', async () => {
    const client = new DynamoDBClient({
      region: 'eu-central-1',
      credentials: () =>
        Promise.reject(Object.assign(new Error('none found'), { name: 'CredentialsProviderError' })),
    });
    const failure = await client
      .send(new GetItemCommand({ TableName: 'tasks', Key: { id: { S: '1' } } }))
      .then(
        () => undefined,
        (error: unknown) => awsFailure(error, use),
      );
    expect(failure).toMatchObject({ code: 'AWS_CREDENTIALS_REFUSED' });
    client.destroy();
  });

  it('that is ours stays as it is', () => {
    const ours = new BgAgentError('TASK_MOVED', 'x');
    expect(awsFailure(ours, use)).toBe(ours);
  });
});

import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { clientConfig, describeOn, moto, uniqueName } from '../../../test/aws/harness.ts';
import { blobStoreContract } from '../../../test/contracts/blob-store.contract.ts';
import { createS3Blobs } from './blobs.ts';

const region = 'eu-central-1';

async function aBucket() {
  const client = new S3Client({ ...clientConfig(moto), forcePathStyle: true });
  const bucket = uniqueName('blobs');
  await client.send(
    new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: region } }),
  );
  let requests = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      requests += 1;
      return next(args);
    },
    { step: 'finalizeRequest' },
  );
  const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = requests;
    await work();
    return requests - before;
  };
  const keys = async (): Promise<string[]> =>
    ((await client.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? []).map(
      ({ Key = '' }) => Key,
    );
  return { client, bucket, requestsOf, keys };
}

describeOn(moto, 'blobs in S3', () => {
  for (const partBytes of [undefined, 4])
    blobStoreContract({
      name: `s3, ${partBytes ?? 'usual'} bytes a piece`,
      create: async () => {
        const { client, bucket } = await aBucket();
        return {
          blobs: createS3Blobs({ client, bucket, prefix: 'a/b/', ...(partBytes && { partBytes }) }),
          close: async () => client.destroy(),
        };
      },
    });

  it('put and read a value by one request each', async () => {
    const { client, bucket, requestsOf } = await aBucket();
    const blobs = createS3Blobs({ client, bucket });
    expect(await requestsOf(() => blobs.put('payloads/a', '{}'))).toBe(1);
    expect(await requestsOf(() => blobs.get('payloads/a'))).toBe(1);
    client.destroy();
  });

  it('go on in other objects when they grow, and are read and deleted whole', async () => {
    const { client, bucket, keys } = await aBucket();
    const blobs = createS3Blobs({ client, bucket, partBytes: 10 });
    let size = 0;
    let text = '';
    for (let n = 0; n < 12; n += 1) {
      const line = `line ${n}\n`;
      size = await blobs.append('logs/a', size, line);
      text += line;
      expect(size).toBe(text.length);
    }
    expect((await keys()).length).toBeGreaterThan(3);
    expect(Buffer.from((await blobs.get('logs/a')) ?? []).toString()).toBe(text);
    await blobs.put('logs/a', 'a new value that is long enough');
    expect(Buffer.from((await blobs.get('logs/a')) ?? []).toString()).toBe('a new value that is long enough');
    await blobs.delete('logs/a');
    expect(await keys()).toEqual([]);
    client.destroy();
  });

  it('take each byte once from several processes', async () => {
    const { client, bucket } = await aBucket();
    const text = Array.from({ length: 12 }, (_, n) => `line ${n}\n`).join('');
    await Promise.all(
      [1, 2, 3].map(async () => {
        const blobs = createS3Blobs({ client, bucket, partBytes: 20 });
        for (let size = 0; size < text.length; )
          size = await blobs.append('log', size, text.slice(size, size + 9));
      }),
    );
    const blobs = createS3Blobs({ client, bucket, partBytes: 20 });
    expect(Buffer.from((await blobs.get('log')) ?? []).toString()).toBe(text);
    client.destroy();
  });

  it('name the bucket and the option when it is gone', async () => {
    const { client } = await aBucket();
    const blobs = createS3Blobs({ client, bucket: uniqueName('gone') });
    for (const use of [
      () => blobs.put('a', 'x'),
      () => blobs.get('a'),
      () => blobs.append('a', 0, 'x'),
      () => blobs.delete('a'),
      () => blobs.deletePrefix('a/'),
    ])
      await expect(use()).rejects.toMatchObject({
        code: 'AWS_RESOURCE_MISSING',
        message: expect.stringMatching(/no bucket gone-\S+ in eu-central-1, named by the option `bucket`/),
      });
    client.destroy();
  });
});

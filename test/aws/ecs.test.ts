import { DescribeSecurityGroupsCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateClusterCommand, ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createEcsCompute } from '../../src/compute/ecs/ecs.ts';
import { createHandover, type Handover, IMAGE_PLACE } from '../../src/compute/handover.ts';
import type { ComputeStrategy } from '../../src/compute/strategy.ts';
import { startEventQueue } from '../../src/entry/event-queue.ts';
import { aSpec } from '../fixtures/remote-runner.ts';
import { clientConfig, describeOn, moto, uniqueName } from './harness.ts';

/** What the SDK sends, and what an emulator that is not ours makes of it. It runs nothing, and knows of no client tokens. */
describeOn(moto, 'ECS, S3 and SQS', () => {
  const cluster = uniqueName('octo');
  const bucket = uniqueName('octo-payloads');
  let subnet: string;
  let securityGroup: string;
  let ecs: ECSClient;
  let s3: S3Client;
  let sqs: SQSClient;
  let handover: Handover;
  const opened: { close(): void }[] = [];

  beforeAll(async () => {
    ecs = new ECSClient(clientConfig(moto));
    s3 = new S3Client({ ...clientConfig(moto), forcePathStyle: true });
    sqs = new SQSClient(clientConfig(moto));
    const ec2 = new EC2Client(clientConfig(moto));
    const [{ Subnets = [] }, { SecurityGroups = [] }] = await Promise.all([
      ec2.send(new DescribeSubnetsCommand({})),
      ec2.send(new DescribeSecurityGroupsCommand({})),
    ]);
    ec2.destroy();
    subnet = Subnets[0]?.SubnetId ?? '';
    securityGroup = SecurityGroups[0]?.GroupId ?? '';
    await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'bgagent-runner',
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: '1024',
        memory: '2048',
        containerDefinitions: [
          {
            name: 'runner',
            image: 'registry.example/bgagent-runner:1',
            essential: true,
            cpu: 1024,
            memory: 2048,
          },
        ],
      }),
    );
    await s3.send(
      new CreateBucketCommand({
        Bucket: bucket,
        CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' },
      }),
    );
    handover = createHandover({
      bucket,
      client: async () => s3,
      secret: new Uint8Array(32).fill(1),
      apiUrl: () => 'https://bgagent.example',
    });
  });
  afterAll(() => {
    for (const compute of opened) compute.close();
    for (const client of [ecs, s3, sqs]) client.destroy();
  });

  function open(named = cluster): ComputeStrategy {
    const compute = createEcsCompute({
      client: async () => ecs,
      cluster: named,
      taskDefinition: 'bgagent-runner',
      container: 'runner',
      capacityProvider: 'FARGATE',
      subnets: [subnet],
      securityGroups: [securityGroup],
      assignPublicIp: true,
      readOnlySize: null,
      handover,
      events: { sessionEnded: () => undefined, capacityFreed: () => undefined },
      pollMs: null,
      stopPollMs: 20,
      now: Date.now,
      log: { warn: () => undefined },
    });
    opened.push(compute);
    return compute;
  }

  it('starts, finds by name, describes, stops and clears up a session', async () => {
    const spec = aSpec('token-of-the-task');
    const answer = await open().start(spec);
    if (answer.kind !== 'started') throw new Error(answer.reason);
    const [listed] = await open().list();
    if (!listed) throw new Error('nothing was listed');
    expect(listed.id).toBe(`${spec.taskId}-1`);
    expect(await open().describe(listed)).toEqual({ kind: 'running' });
    await open().stop(answer.session, { graceMs: 1_000 });
    expect((await open().describe(answer.session)).kind).toBe('exited');
    await open().cleanUp(answer.session);
    expect((await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents).toBeUndefined();
  });

  it('hands over by an address that is good for the one document', async () => {
    const { url, key } = await handover.put('ecs', aSpec('token-of-the-task'), IMAGE_PLACE);
    const answer = await fetch(url);
    expect(await answer.json()).toMatchObject({
      token: 'token-of-the-task',
      api_url: 'https://bgagent.example',
      agent_user: { uid: 10_001 },
    });
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('3600');
    expect(key).toMatch(/^handover\/ecs\/[0-9A-Z]{26}-1\/[0-9a-f]{64}\.json$/);
  });

  it('names the cluster and its setting when there is none of that name (T7)', async () => {
    await expect(open('nowhere').start(aSpec('x'))).rejects.toMatchObject({
      code: 'COMPUTE_MISCONFIGURED',
      message: expect.stringContaining('there is no ECS cluster nowhere, named by ecs_cluster'),
    });
  });

  it('reads events from a queue, and leaves those that it could not handle', async () => {
    const { QueueUrl = '' } = await sqs.send(
      new CreateQueueCommand({ QueueName: uniqueName('events'), Attributes: { VisibilityTimeout: '1' } }),
    );
    const send = (body: string) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body }));
    await send(JSON.stringify({ n: 1 }));
    await send('no JSON');
    const handled: unknown[] = [];
    let failures = 0;
    const warnings: unknown[] = [];
    const queue = startEventQueue({
      client: async () => sqs,
      queueUrl: QueueUrl,
      async handle(event) {
        // Once is a fault that passes.
        if (failures === 0) {
          failures += 1;
          throw new Error('not now');
        }
        handled.push(event);
      },
      log: { warn: ({ event }) => warnings.push(event) },
      pauseMs: 10,
      waitS: 1,
    });
    await vi.waitFor(() => expect(handled).toHaveLength(2), { timeout: 60_000 });
    await queue.close();
    expect(handled).toEqual(expect.arrayContaining([{ n: 1 }, undefined]));
    expect(warnings).toContain('entry.event_queue.failed');
    const left = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
    expect(left.Messages).toBeUndefined();
  });
});

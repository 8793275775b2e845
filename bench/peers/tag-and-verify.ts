import { CreateTagsCommand, DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';

/**
 * The usual way to give a task a machine of a fleet, from its description: put the payload, list machines by tags, tag one as busy,
 * list again to see whether the tag is ours, send the command. It decides by what is second-hand, so two at once may get one machine.
 */
export function createTagAndVerify({
  endpoint,
  fleet,
  bucket,
}: Record<'endpoint' | 'fleet' | 'bucket', string>) {
  const config = { region: 'eu-central-1', endpoint };
  const s3 = new S3Client({ ...config, forcePathStyle: true });
  const ec2 = new EC2Client(config);
  const ssm = new SSMClient(config);
  const isOurs = { Name: 'tag:bgagent:fleet', Values: [fleet] };
  return {
    async dispatch(taskId: string, parameters: Record<string, string[]>): Promise<void> {
      const Key = `payloads/${taskId}`;
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: JSON.stringify({ taskId }) }));
      const listed = await ec2.send(new DescribeInstancesCommand({ Filters: [isOurs] }));
      const InstanceId = listed.Reservations?.[0]?.Instances?.[0]?.InstanceId ?? '';
      const Tags = [
        { Key: 'bgagent:status', Value: 'busy' },
        { Key: 'bgagent:task-id', Value: taskId },
      ];
      await ec2.send(new CreateTagsCommand({ Resources: [InstanceId], Tags }));
      const again = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [InstanceId] }));
      const tags = again.Reservations?.[0]?.Instances?.[0]?.Tags ?? [];
      if (!tags.some(({ Key: name, Value }) => name === 'bgagent:task-id' && Value === taskId))
        throw new Error('somebody else has the machine');
      const DocumentName = 'octo-fleet-start';
      await ssm.send(
        new SendCommandCommand({
          DocumentName,
          InstanceIds: [InstanceId],
          Parameters: parameters,
          Comment: taskId,
          TimeoutSeconds: 60,
        }),
      );
    },
    close(): void {
      for (const client of [s3, ec2, ssm]) client.destroy();
    },
  };
}

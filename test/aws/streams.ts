import { DescribeTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';

/** A record as Lambda hands it over; the stream's own answer has the same shape. */
export interface WireRecord {
  eventName: string;
  dynamodb: { SequenceNumber: string; NewImage?: Record<string, Record<string, unknown>> };
}

/** Everything in the stream of a table, shard by shard, as it is now. */
export async function readStream(
  client: DynamoDBClient,
  endpoint: string,
  table: string,
): Promise<WireRecord[]> {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
  const StreamArn = Table?.LatestStreamArn;
  const call = async <T>(operation: string, body: object): Promise<T> => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `DynamoDBStreams_20120810.${operation}`,
        authorization:
          'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20300101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${operation}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  const { StreamDescription } = await call<{ StreamDescription: { Shards: { ShardId: string }[] } }>(
    'DescribeStream',
    { StreamArn },
  );
  const records: WireRecord[] = [];
  for (const { ShardId } of StreamDescription.Shards) {
    const iterator = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
    let { ShardIterator } = await call<{ ShardIterator?: string }>('GetShardIterator', iterator);
    while (ShardIterator !== undefined) {
      const page: { Records: WireRecord[]; NextShardIterator?: string } = await call('GetRecords', {
        ShardIterator,
      });
      records.push(...page.Records);
      if (page.Records.length === 0) break;
      ShardIterator = page.NextShardIterator;
    }
  }
  return records;
}

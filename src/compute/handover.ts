import { createHmac } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Bootstrap } from '../task/protocol.ts';
import { executionName } from '../task/task.ts';
import { awsFailure } from './aws-failure.ts';
import type { SessionSpec } from './strategy.ts';

/**
 * How a runner on another machine gets its bootstrap: a small document in a bucket, one for each session, under a key that
 * can't be guessed. Who starts the runner gives it a signed address (or, where the host has a role for it, the key): the task's
 * token is in no command line, no environment variable and no description of the session.
 */
export interface Handover {
  /** Writes the document of a session; writing it again is fine, and keeps its key. Throws COMPUTE_UNAVAILABLE. */
  put(type: string, spec: SessionSpec, place: RunnerPlace): Promise<HandoverAddress>;
  /** Whether the session's document is there: it is from before the start until `remove`. */
  has(type: string, sessionId: string): Promise<boolean>;
  /** Ids of all sessions of a backend that have a document. */
  list(type: string): Promise<string[]>;
  /** Removes what the session was given. One that is gone already is fine. */
  remove(type: string, sessionId: string): Promise<void>;
}

/** What the place is like in which the runner will find itself. */
export type RunnerPlace = Pick<Bootstrap, 'work_dir' | 'agent_user'>;

export interface HandoverAddress {
  bucket: string;
  key: string;
  /** Good for reading this one document for an hour. A secret: for an environment variable of the runner, never for a log. */
  url: string;
}

export interface HandoverOptions {
  bucket: string;
  /** Made at the first use. */
  client(): Promise<S3Client>;
  /** Makes keys that can't be guessed; the same after a restart. At least 32 bytes. */
  secret: Uint8Array;
  /** Where runners reach the platform. */
  apiUrl(): string;
}

/** What runs in the runner's image (`image/Dockerfile`): its folder, and the user that agents are. */
export const IMAGE_PLACE: RunnerPlace = {
  work_dir: '/var/lib/bgagent/work',
  agent_user: { uid: 10_001, gid: 10_001 },
};

/** The variable that holds the signed address. */
export const BOOTSTRAP_VARIABLE = 'BGAGENT_BOOTSTRAP_URL';

/** Long enough for a slow start, in seconds. */
const ADDRESS_GOOD_FOR_S = 3_600;
/** How long past its deadline a runner that gets no answer goes on asking. */
const PATIENCE_MS = 15 * 60_000;
const ROOT = 'handover';

export function createHandover(options: HandoverOptions): Handover {
  const { bucket, secret } = options;
  const keyOf = (type: string, id: string): string =>
    `${ROOT}/${type}/${id}/${createHmac('sha256', secret).update(`${type}/${id}`).digest('hex')}.json`;
  const failed = (error: unknown, permission: string) =>
    awsFailure(error, { what: `bucket ${bucket}`, setting: 'payload_bucket', permission });

  return {
    async put(type, spec, place) {
      const id = executionName(spec.taskId, spec.attempt);
      const key = keyOf(type, id);
      const bootstrap: Bootstrap = {
        task_id: spec.taskId,
        attempt: spec.attempt,
        token: spec.token,
        api_url: options.apiUrl(),
        api_url_file: null,
        log_file: null,
        not_after: new Date(spec.deadlineAtMs + PATIENCE_MS).toISOString(),
        ...place,
      };
      const [{ GetObjectCommand, PutObjectCommand }, { getSignedUrl }, client] = await Promise.all([
        import('@aws-sdk/client-s3'),
        import('@aws-sdk/s3-request-presigner'),
        options.client(),
      ]);
      try {
        await client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: key,
            Body: JSON.stringify(bootstrap),
            ContentType: 'application/json',
          }),
        );
        const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: key }), {
          expiresIn: ADDRESS_GOOD_FOR_S,
        });
        return { bucket, key, url };
      } catch (error) {
        throw failed(error, 's3:PutObject');
      }
    },

    async has(type, id) {
      const { HeadObjectCommand, S3ServiceException } = await import('@aws-sdk/client-s3');
      try {
        await (await options.client()).send(new HeadObjectCommand({ Bucket: bucket, Key: keyOf(type, id) }));
        return true;
      } catch (error) {
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return false;
        throw failed(error, 's3:GetObject');
      }
    },

    async list(type) {
      const { paginateListObjectsV2 } = await import('@aws-sdk/client-s3');
      const ids: string[] = [];
      try {
        const pages = paginateListObjectsV2(
          { client: await options.client() },
          { Bucket: bucket, Prefix: `${ROOT}/${type}/` },
        );
        for await (const { Contents = [] } of pages)
          for (const { Key = '' } of Contents) ids.push(Key.split('/')[2] ?? '');
      } catch (error) {
        throw failed(error, 's3:ListBucket');
      }
      return ids.filter((id) => id !== '');
    },

    async remove(type, id) {
      const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
      try {
        await (await options.client()).send(
          new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(type, id) }),
        );
      } catch (error) {
        throw failed(error, 's3:DeleteObject');
      }
    },
  };
}

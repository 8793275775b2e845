import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { awsErrorName, awsFailure, httpStatusOf } from '../../aws/failure.ts';
import { BgAgentError } from '../../task/errors.ts';
import { checkOffset, segmentsOf, segmentsOfPrefix } from '../blob-keys.ts';
import type { BlobStore } from '../blob-store.ts';
import { createTurns } from '../turns.ts';

export interface S3BlobsOptions {
  client: S3Client;
  bucket: string;
  /** Before every key; ends in a slash unless empty. Default: none. */
  prefix?: string;
  /** Bytes from which on a value that is appended to goes on in another object. Default: 256 KiB. */
  partBytes?: number;
  /** 0 ≤ n < 1. Default: Math.random. */
  random?: () => number;
  /** Milliseconds. Default: setTimeout. */
  sleep?: (ms: number) => Promise<void>;
}

/** An object that holds a piece of a value, from `offset` on. */
interface Piece {
  key: string;
  offset: number;
  size: number;
  etag: string;
}

/** Of the service. */
const DELETE_BATCH = 1_000;
/** How often an append is tried again because others were faster. */
const TRIES = 60;
const PAUSE_MS = 50;
/** Larger than any offset, and of as many digits. */
const OFFSET_LIMIT = 999_999_999_999_999;

/**
 * Blobs as objects of a bucket. What is put is one object, by one request. What is appended to is rewritten while it is small, on the
 * condition that it is still the same; from `partBytes` on it goes on in objects beside it, `<key>~<etag>/…`: no key has a `~`.
 */
export function createS3Blobs({
  client,
  bucket,
  prefix = '',
  partBytes = 256 * 1_024,
  random = Math.random,
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
}: S3BlobsOptions): BlobStore {
  const inTurn = createTurns();
  const objectOf = (key: string): string => prefix + segmentsOf(key).join('/');

  async function call<T>(action: string, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      // What the caller asked about is an answer, not a failure.
      if (error instanceof NoSuchKey || isLost(error)) throw error;
      throw awsFailure(error, {
        action: `s3:${action}`,
        resource: `bucket ${bucket}`,
        setting: 'the option `bucket`',
        region: await client.config.region().catch(() => undefined),
      });
    }
  }

  const put = (Key: string, Body: Uint8Array, condition: { IfMatch?: string; IfNoneMatch?: '*' } = {}) =>
    call('PutObject', () => client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ...condition })));

  async function read(Key: string, IfMatch?: string): Promise<GetObjectCommandOutput | undefined> {
    try {
      return await call('GetObject', () =>
        client.send(new GetObjectCommand({ Bucket: bucket, Key, ...(IfMatch !== undefined && { IfMatch }) })),
      );
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }

  /** Objects below a prefix, by name. */
  async function* objects(below: string): AsyncGenerator<{ key: string; size: number; etag: string }> {
    let token: string | undefined;
    do {
      const page = await call('ListBucket', () =>
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: below,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key, Size, ETag } of page.Contents ?? [])
        if (Key !== undefined) yield { key: Key, size: Size ?? 0, etag: ETag ?? '' };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async function firstObject(below: string) {
    const page = await call('ListBucket', () =>
      client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: below, MaxKeys: 1 })),
    );
    const [found] = page.Contents ?? [];
    return found?.Key === undefined
      ? undefined
      : { key: found.Key, size: found.Size ?? 0, etag: found.ETag ?? '' };
  }

  /** The piece that holds the end of the value. */
  async function lastPiece(key: string): Promise<Piece | undefined> {
    const head = await firstObject(key);
    if (head?.key !== key) return undefined;
    const newest = head.size < partBytes ? undefined : await firstObject(piecesOf(key, head.etag));
    return newest ? { ...newest, offset: offsetOf(newest.key) } : { ...head, offset: 0 };
  }

  async function tryAppend(key: string, offset: number, value: Buffer): Promise<number> {
    const last = await lastPiece(key);
    const size = last ? last.offset + last.size : 0;
    const fresh = offset > size ? Buffer.alloc(0) : value.subarray(size - offset);
    if (fresh.length === 0) return size;
    if (!last) await put(key, fresh, { IfNoneMatch: '*' });
    else if (last.size < partBytes) {
      const present = await read(last.key, last.etag);
      if (!present) throw new Lost();
      await put(last.key, Buffer.concat([await bytesOf(present), fresh]), { IfMatch: last.etag });
    } else {
      const beside = last.offset === 0 ? piecesOf(key, last.etag) : folderOf(last.key);
      await put(beside + pieceName(size), fresh, { IfNoneMatch: '*' });
    }
    return size + fresh.length;
  }

  async function append(key: string, offset: number, value: Buffer): Promise<number> {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      try {
        return await tryAppend(key, offset, value);
      } catch (error) {
        if (!isLost(error)) throw error;
        await sleep(random() * PAUSE_MS * Math.min(tries, 10));
      }
    }
    throw new BgAgentError('SERVICE_UNAVAILABLE', `${key} is appended to by too many at once`);
  }

  async function removeAll(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_BATCH) {
      const Objects = keys.slice(at, at + DELETE_BATCH).map((Key) => ({ Key }));
      const { Errors = [] } = await call('DeleteObject', () =>
        client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } })),
      );
      const [refused] = Errors;
      if (refused)
        throw awsFailure(Object.assign(new Error(refused.Message), { name: refused.Code ?? 'Error' }), {
          action: 's3:DeleteObject',
          resource: `bucket ${bucket}`,
        });
    }
  }

  async function removeBelow(below: string): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of objects(below)) keys.push(key);
    await removeAll(keys);
  }

  return {
    async put(key, value) {
      await put(objectOf(key), Buffer.from(value));
    },

    async append(key, offset, value) {
      const object = objectOf(key);
      checkOffset(offset);
      // Here one after the other; other processes are found out by the conditions.
      return inTurn(object, () => append(object, offset, Buffer.from(value)));
    },

    async get(key) {
      const object = objectOf(key);
      const head = await read(object);
      if (!head) return undefined;
      const pieces = [await bytesOf(head)];
      if ((head.ContentLength ?? 0) >= partBytes) {
        const names: string[] = [];
        for await (const { key: name } of objects(piecesOf(object, head.ETag ?? ''))) names.unshift(name);
        const rest = await Promise.all(names.map(async (name) => read(name)));
        for (const piece of rest) if (piece) pieces.push(await bytesOf(piece));
      }
      return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    },

    async delete(key) {
      const object = objectOf(key);
      await call('DeleteObject', () => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: object })));
      await removeBelow(`${object}~`);
    },

    async deletePrefix(below) {
      await removeBelow(`${prefix}${segmentsOfPrefix(below).join('/')}/`);
    },
  };
}

/** Somebody else was faster: look again. */
class Lost extends Error {}

const isLost = (error: unknown): boolean =>
  error instanceof Lost ||
  httpStatusOf(error) === 412 ||
  awsErrorName(error) === 'ConditionalRequestConflict';

/** Beside the object that the value begins with; when that is replaced, its pieces are nobody's. */
const piecesOf = (key: string, etag: string): string => `${key}~${etag.replaceAll('"', '')}/`;
const folderOf = (piece: string): string => piece.slice(0, piece.lastIndexOf('/') + 1);
/** The latest comes first in a list. */
const pieceName = (offset: number): string => String(OFFSET_LIMIT - offset).padStart(15, '0');
const offsetOf = (piece: string): number => OFFSET_LIMIT - Number(piece.slice(folderOf(piece).length));

const bytesOf = async ({ Body }: GetObjectCommandOutput): Promise<Uint8Array> =>
  (await Body?.transformToByteArray()) ?? new Uint8Array();

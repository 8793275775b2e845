import type { Readable } from 'node:stream';

/** The end of what a program printed. */
export interface Tail {
  read(stream: Readable): void;
  text(): string;
}

/** Bytes that are kept, far more than is ever shown: secrets are taken out before it's cut. */
const KEPT_BYTES = 64 * 1024;

export function createTail(): Tail {
  let kept: Buffer[] = [];
  let size = 0;
  return {
    read(stream) {
      stream.on('data', (chunk: Buffer) => {
        kept.push(chunk);
        size += chunk.length;
        if (size < KEPT_BYTES * 2) return;
        const end = Buffer.concat(kept).subarray(-KEPT_BYTES);
        kept = [end];
        size = end.length;
      });
    },
    text: () => Buffer.concat(kept).subarray(-KEPT_BYTES).toString('utf8'),
  };
}

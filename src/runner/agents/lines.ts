import { Transform } from 'node:stream';

/** A message of an agent that is longer than this is none. */
const LONGEST_LINE = 32 * 1024 * 1024;

/**
 * Hands on whole lines as they come, each as one string without its end. A line over the limit ends the stream with an error,
 * so that nobody who writes to the pipe can fill the runner's memory.
 */
export function createLines(limit = LONGEST_LINE): Transform {
  const decoder = new TextDecoder();
  let held = '';
  return new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      const parts = (held + decoder.decode(chunk, { stream: true })).split('\n');
      held = parts.pop() ?? '';
      for (const line of parts) if (line.length <= limit) this.push(`${line}\n`);
      if (held.length > limit || parts.some((line) => line.length > limit))
        return done(new Error(`the agent sent a line of more than ${limit} characters`));
      done();
    },
    flush(done) {
      if (held !== '') this.push(`${held}\n`);
      done();
    },
  });
}

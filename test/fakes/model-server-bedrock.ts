import { EventStreamCodec } from '@smithy/core/event-streams';
import { fromUtf8, toUtf8 } from '@smithy/core/serde';
import type { ServerSentEvent } from './model-server.ts';

/** The same events in the framing of AWS. `exception` comes at the end. */
export function bedrockStream(events: readonly ServerSentEvent[], exception?: string): Buffer[] {
  const codec = new EventStreamCodec(toUtf8, fromUtf8);
  const frame = (headers: Record<string, string>, body: unknown): Buffer =>
    Buffer.from(
      codec.encode({
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, { type: 'string' as const, value }]),
        ),
        body: fromUtf8(JSON.stringify(body)),
      }),
    );
  const chunk = { ':message-type': 'event', ':event-type': 'chunk', ':content-type': 'application/json' };
  const frames = events.map((event) =>
    frame(chunk, { bytes: Buffer.from(JSON.stringify(event)).toString('base64') }),
  );
  if (exception === undefined) return frames;
  const last = { ':message-type': 'exception', ':exception-type': 'modelStreamErrorException' };
  return [...frames, frame(last, { message: exception })];
}

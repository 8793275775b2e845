/** The largest single event of a stream, in bytes; the last one of Responses holds the whole answer. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024;

/**
 * Cuts a stream of server-sent events where events end, so that each piece holds whole events: what can be read can be passed on,
 * and an event that breaks off is not. Throws when one is too large.
 */
export async function* wholeEvents(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    const cut = endOfEvents(tail, chunk);
    tail = Buffer.concat([tail, chunk.subarray(-3)]).subarray(-3);
    if (cut === 0) {
      held.push(chunk);
      size += chunk.length;
      if (size > MAX_EVENT_BYTES) throw new Error(`an event is over ${MAX_EVENT_BYTES} bytes`);
      continue;
    }
    const head = chunk.subarray(0, cut);
    yield held.length === 0 ? head : Buffer.concat([...held, head]);
    const rest = chunk.subarray(cut);
    held = rest.length > 0 ? [rest] : [];
    size = rest.length;
  }
}

/** How much of `chunk` belongs to events that are whole. `tail`: the bytes before it, since the mark may be split. */
function endOfEvents(tail: Buffer, chunk: Buffer): number {
  const inside = Math.max(afterLast(chunk, '\n\n'), afterLast(chunk, '\r\n\r\n'));
  if (inside > 0) return inside;
  const seam = Buffer.concat([tail, chunk.subarray(0, 3)]);
  return Math.max(0, Math.max(afterLast(seam, '\n\n'), afterLast(seam, '\r\n\r\n')) - tail.length);
}

function afterLast(buffer: Buffer, mark: string): number {
  const at = buffer.lastIndexOf(mark);
  return at === -1 ? 0 : at + mark.length;
}

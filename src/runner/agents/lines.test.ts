import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLines } from './lines.ts';

async function linesOf(pieces: readonly (string | Buffer)[], limit?: number): Promise<string[]> {
  const lines: string[] = [];
  const source = Readable.from(pieces.map((piece) => Buffer.from(piece)));
  for await (const line of source.pipe(createLines(limit))) lines.push(String(line));
  return lines;
}

describe('lines of an agent', () => {
  it('are whole however they come, the last one too', async () => {
    const [first, second] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
    expect(await linesOf(['a', 'b\nc', first, second, '\n', 'd'])).toEqual(['ab\n', 'cü\n', 'd\n']);
  });

  it('that never end are given up', async () => {
    await expect(linesOf(['x'.repeat(60), 'x'.repeat(60)], 100)).rejects.toThrow(/more than 100/);
  });
});

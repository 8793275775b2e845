import type { Readable } from 'node:stream';
import type { Redactor } from './redact.ts';

/** What programs print: redacted, up to a limit, to the task's log; now and then a line of it as an event. */
export interface OutputLog {
  /** Reads a stream to its end. Past the limit bytes are only counted. */
  read(stream: Readable): void;
  /** A text that is whole, of an agent that says what it does; within the limit as well. */
  print(text: string): void;
  /** A line of the runner's own. */
  note(text: string): void;
  /** Gives out what was held back. To be called between programs. */
  flush(): void;
  /** Says how much was left out, once. */
  end(): void;
}

export interface OutputOptions {
  redactor: Redactor;
  /** Bytes of program output that are kept. */
  maxBytes: number;
  now(): number;
  /** Appends to the log. */
  append(text: string): void;
  /** A sample for people who watch. */
  sample(line: string, lines: number): void;
}

const SAMPLE_EVERY_MS = 1_000;
const PREVIEW_LENGTH = 200;

export function createOutputLog({ redactor, maxBytes, now, append, sample }: OutputOptions): OutputLog {
  const redaction = redactor.stream();
  let kept = 0;
  let left = 0;
  let lines = 0;
  let lastLine = '';
  let sampledAt = Number.NEGATIVE_INFINITY;

  function take(text: string): void {
    if (text === '') return;
    append(text);
    const parts = text.split('\n');
    lines += parts.length - 1;
    lastLine = parts.findLast((part) => part.trim() !== '') ?? lastLine;
    if (lines === 0 || lastLine === '' || now() - sampledAt < SAMPLE_EVERY_MS) return;
    tell();
  }

  function tell(): void {
    sampledAt = now();
    sample(preview(lastLine), lines);
    lines = 0;
    lastLine = '';
  }

  return {
    read(stream) {
      // A decoder of its own: two streams may cut their characters at the same time.
      const decoder = new TextDecoder();
      stream.on('data', (chunk: Buffer) => {
        const room = maxBytes - kept;
        if (room <= 0) {
          left += chunk.length;
          return;
        }
        const part = chunk.subarray(0, room);
        kept += part.length;
        left += chunk.length - part.length;
        take(redaction.push(decoder.decode(part, { stream: true })));
      });
    },
    print(text) {
      const bytes = Buffer.byteLength(text);
      if (kept + bytes > maxBytes) {
        left += bytes;
        return;
      }
      kept += bytes;
      append(redactor.text(text));
    },
    note(text) {
      append(redactor.text(`[bgagent] ${text}`));
    },
    flush() {
      take(redaction.end());
      if (lines > 0 && lastLine !== '') tell();
    },
    end() {
      if (left > 0) append(`[bgagent] ${left} more bytes of output are not kept\n`);
      left = 0;
    },
  };
}

/** The beginning of a text that must be short. To be called after redaction: a secret that is cut in two is not found. */
export const preview = (text: string): string => printable(text).slice(0, PREVIEW_LENGTH);

/** Without control characters: a preview is shown in terminals and on pages. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').trim();

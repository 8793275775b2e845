import { constants } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The files by which runner and agent talk. The agent can write all of them, so what is read is not trusted. */
export interface Exchange {
  promptFile: string;
  summaryFile: string;
  /** For the agent of a workflow that reviews. */
  reviewFile: string;
  /** What people say while it works; not there until somebody does. */
  nudgeFile: string;
}

/** The folder around them keeps others out; the agent may be another user than the runner. */
const READABLE = 0o644;

/** Characters of a summary that are kept. */
export const SUMMARY_LENGTH = 10_000;

export async function createExchange(folder: string, prompt: string): Promise<Exchange> {
  const exchange = {
    promptFile: join(folder, 'prompt.md'),
    summaryFile: join(folder, 'summary.md'),
    reviewFile: join(folder, 'review.json'),
    nudgeFile: join(folder, 'nudges.jsonl'),
  };
  await writeFile(exchange.promptFile, prompt, { mode: READABLE });
  return exchange;
}

/** Returns the file. The agent may have put something in its place, a link to elsewhere even: that goes first. */
export async function writeRepairPrompt({ exchange }: { exchange: string }, prompt: string): Promise<string> {
  const file = join(exchange, 'repair.md');
  await rm(file, { recursive: true, force: true });
  await writeFile(file, prompt, { mode: READABLE, flag: 'wx' });
  return file;
}

/** Bytes of a review that are read. */
const REVIEW_BYTES = 1024 * 1024;

/** What the agent wrote of its work; null when it wrote nothing. */
export async function readSummary({ summaryFile }: Exchange): Promise<string | null> {
  return (await readWritten(summaryFile, SUMMARY_LENGTH * 4))?.slice(0, SUMMARY_LENGTH) ?? null;
}

/** The review as the agent wrote it, not looked at yet; null when it wrote none. */
export const readReview = ({ reviewFile }: Exchange): Promise<string | null> =>
  readWritten(reviewFile, REVIEW_BYTES);

/** The beginning of a file of the agent's. A link or a pipe in its place counts as nothing, as does an empty one. */
async function readWritten(path: string, maxBytes: number): Promise<string | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (!file) return null;
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.nlink > 1) return null;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
    const text = buffer.toString('utf8', 0, bytesRead).trim();
    return text === '' ? null : text;
  } finally {
    await file.close();
  }
}

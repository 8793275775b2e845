import { constants } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The files by which runner and agent talk. The agent can write all of them, so what is read is not trusted. */
export interface Exchange {
  promptFile: string;
  summaryFile: string;
  /** What people say while it works; not there until somebody does. */
  nudgeFile: string;
}

/** Characters of a summary that are kept. */
export const SUMMARY_LENGTH = 10_000;

export async function createExchange(folder: string, prompt: string): Promise<Exchange> {
  const exchange = {
    promptFile: join(folder, 'prompt.md'),
    summaryFile: join(folder, 'summary.md'),
    nudgeFile: join(folder, 'nudges.jsonl'),
  };
  await writeFile(exchange.promptFile, prompt, { mode: 0o600 });
  return exchange;
}

/** Returns the file. The agent may have put something in its place, a link to elsewhere even: that goes first. */
export async function writeRepairPrompt({ exchange }: { exchange: string }, prompt: string): Promise<string> {
  const file = join(exchange, 'repair.md');
  await rm(file, { recursive: true, force: true });
  await writeFile(file, prompt, { mode: 0o600, flag: 'wx' });
  return file;
}

/** What the agent wrote of its work; null when it wrote nothing. A link or a pipe in its place counts as nothing. */
export async function readSummary({ summaryFile }: Exchange): Promise<string | null> {
  const file = await open(
    summaryFile,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch(() => undefined);
  if (!file) return null;
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.nlink > 1) return null;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SUMMARY_LENGTH * 4), 0, SUMMARY_LENGTH * 4, 0);
    const text = buffer.toString('utf8', 0, bytesRead).trim();
    return text === '' ? null : text.slice(0, SUMMARY_LENGTH);
  } finally {
    await file.close();
  }
}

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

export interface Usage {
  files: number;
  bytes: number;
}

const SLICE_MS = 4;
const FIRST_PAUSE_MS = 500;
/** A scan may take this part of the time at most. */
const SHARE = 20;

/** Counts what is below the folders, without following symbolic links and without holding up the event loop. */
export async function measure(folders: readonly string[], signal?: AbortSignal): Promise<Usage> {
  const usage: Usage = { files: 0, bytes: 0 };
  const open = [...folders];
  let sliceEnd = performance.now() + SLICE_MS;
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of list(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) open.push(path);
      else usage.bytes += sizeOf(path);
      usage.files += 1;
      if (performance.now() < sliceEnd) continue;
      await turn();
      signal?.throwIfAborted();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  return usage;
}

/** Calls `exceeded` once when the folders hold more than they may. Returns what ends the watch. */
export function watchQuota({
  folders,
  maxFiles,
  maxBytes,
  exceeded,
}: {
  folders: readonly string[];
  maxFiles: number;
  maxBytes: number;
  exceeded(message: string): void;
}): () => void {
  const ended = new AbortController();
  let timer: NodeJS.Timeout;
  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    const usage = await measure(folders, ended.signal).catch(() => undefined);
    if (ended.signal.aborted || !usage) return;
    const message = overLimit(usage, { maxFiles, maxBytes });
    if (message !== undefined) exceeded(message);
    else timer = setTimeout(look, Math.max(FIRST_PAUSE_MS, (performance.now() - startedAt) * SHARE));
  };
  timer = setTimeout(look, FIRST_PAUSE_MS);
  return () => {
    ended.abort();
    clearTimeout(timer);
  };
}

function overLimit(
  usage: Usage,
  { maxFiles, maxBytes }: { maxFiles: number; maxBytes: number },
): string | undefined {
  if (usage.files > maxFiles) return `the workspace holds more than ${maxFiles} files`;
  if (usage.bytes > maxBytes) return `the workspace holds more than ${Math.round(maxBytes / 1024 / 1024)} MB`;
  return undefined;
}

function list(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // Removed meanwhile, or closed by the agent: then nobody can count it.
    return [];
  }
}

function sizeOf(path: string): number {
  try {
    // Blocks, so that a file with holes counts for what it takes.
    return (lstatSync(path).blocks ?? 0) * 512;
  } catch {
    // Removed meanwhile.
    return 0;
  }
}

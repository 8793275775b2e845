import { isRecord } from '../../../task/json.ts';

/** Deeper than any honest request; a limit, since the agent may nest as it likes. */
const MAX_DEPTH = 64;

/**
 * Names the first part of a request that makes the provider fetch something: a web address would carry data past the sandbox, a
 * file id is somebody's upload in the platform's account, and neither shows its size in the request.
 */
export function outsideReference(value: unknown, depth = 0): string | undefined {
  if (depth > MAX_DEPTH) return `a request nested over ${MAX_DEPTH} deep`;
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = outsideReference(item, depth + 1);
      if (found) return found;
    }
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const found = referenceOf(value);
  if (found) return found;
  for (const [name, item] of Object.entries(value)) {
    // What a tool was called with is plain data of the agent's.
    if (name === 'input' && 'name' in value) continue;
    const below = outsideReference(item, depth + 1);
    if (below) return below;
  }
  return undefined;
}

function referenceOf(block: Record<string, unknown>): string | undefined {
  if (block.type === 'url' && typeof block.url === 'string') return 'content by url';
  if (block.type === 'file' && typeof block.file_id === 'string') return 'content by file_id';
  if (block.type === 'input_image' || block.type === 'input_file') {
    if (typeof block.file_id === 'string') return 'content by file_id';
    if (typeof block.file_url === 'string') return 'content by file_url';
    const image = block.image_url;
    if (typeof image === 'string' && !image.startsWith('data:')) return 'content by image_url';
  }
  return block.type === 'item_reference' ? 'item_reference' : undefined;
}

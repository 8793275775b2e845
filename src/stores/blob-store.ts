/**
 * Larger things: logs, diffs, payloads. Keys are slash-separated names of letters, digits and `. _ - : @ = +`, each starting with
 * a letter or digit; another key is a VALIDATION_ERROR. No key is another's folder (`a` beside `a/b`). Values are bytes.
 */
export interface BlobStore {
  put(key: string, value: Uint8Array | string): Promise<void>;
  /**
   * Appends what lies beyond the present size of a value that starts at byte `offset`: what is there already is skipped, and
   * nothing is written past a gap. Returns the size afterwards, from where the caller goes on.
   */
  append(key: string, offset: number, value: Uint8Array | string): Promise<number>;
  get(key: string): Promise<Uint8Array | undefined>;
  delete(key: string): Promise<void>;
  /** Deletes every key below a prefix that ends in a slash. */
  deletePrefix(prefix: string): Promise<void>;
}

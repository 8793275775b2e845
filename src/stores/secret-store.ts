/** Secrets by name (letters, digits, `. _ - /`; else VALIDATION_ERROR). Values never appear in logs or errors. */
export interface SecretStore {
  get(name: string): Promise<string | undefined>;
  put(name: string, value: string): Promise<void>;
  delete(name: string): Promise<void>;
  /** Names only. */
  list(): Promise<string[]>;
}

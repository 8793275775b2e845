import type { Page } from '../task/page.ts';
import type { RepoConfig } from '../task/repo.ts';

/** Onboarded repositories and their settings. */
export interface RepoStore {
  get(repo: string): Promise<RepoConfig | undefined>;
  /** By name, without the removed ones. */
  list(query: { limit: number; nextToken?: string | undefined }): Promise<Page<RepoConfig>>;
  put(config: RepoConfig): Promise<void>;
}

import type { Database } from '../../sqlite/database.ts';
import { repoConfigSchema } from '../../task/repo.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import type { RepoStore } from '../repo-store.ts';
import { recordOf } from './rows.ts';

export function createRepoStore({ database }: { database: Database }): RepoStore {
  return {
    async get(repo) {
      const row = database.get('SELECT doc FROM repos WHERE repo = ?', repo);
      return row && recordOf(repoConfigSchema, row);
    },

    async list({ limit, nextToken }) {
      const rows = database.all(
        "SELECT doc FROM repos WHERE repo > ? AND doc ->> 'status' = 'active' ORDER BY repo LIMIT ?",
        pagePosition('repos', nextToken, ''),
        limit + 1,
      );
      const configs = rows.map((row) => recordOf(repoConfigSchema, row));
      return toPage(configs, limit, (last) => pageToken('repos', last.repo));
    },

    async put(config) {
      await database.write([
        {
          sql: 'INSERT INTO repos (repo, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc',
          params: [config.repo, JSON.stringify(config)],
        },
      ]);
    },
  };
}

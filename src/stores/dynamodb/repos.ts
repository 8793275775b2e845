import { repoConfigSchema } from '../../task/repo.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import type { RepoStore } from '../repo-store.ts';
import type { StoreParts } from './parts.ts';
import { stateKey } from './parts.ts';
import { fromItem, toItem } from './values.ts';

/** One partition: they are few, and whoever adds one wants to see it in the list at once. */
const REPOS = 'repos';

export function createRepoStore({ dynamo }: Pick<StoreParts, 'dynamo'>): RepoStore {
  return {
    async get(repo) {
      const item = await dynamo.get('state', stateKey(REPOS, repo));
      return item && fromItem(repoConfigSchema, item);
    },

    async list({ limit, nextToken }) {
      let after = pagePosition('repos', nextToken, '');
      const active = [];
      for (;;) {
        const items = await dynamo.query({
          table: 'state',
          partition: REPOS,
          range: { after },
          limit: limit + 1,
        });
        const configs = items.map((item) => fromItem(repoConfigSchema, item));
        active.push(...configs.filter(({ status }) => status === 'active'));
        after = configs.at(-1)?.repo ?? after;
        if (active.length > limit || items.length <= limit) break;
      }
      return toPage(active, limit, (last) => pageToken('repos', last.repo));
    },

    async put(config) {
      await dynamo.put('state', { Item: { ...stateKey(REPOS, config.repo), ...toItem(config) } });
    },
  };
}

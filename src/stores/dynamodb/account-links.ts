import { type AccountLinkStore, accountLinkSchema, linkCodeSchema } from '../account-link-store.ts';
import { ConditionFailed } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { expiry, type StoreParts, stateKey } from './parts.ts';
import { fromItem, number, toItem } from './values.ts';

const partition = (provider: string): string => `account-links#${provider}`;
const codeKey = (provider: string, codeHash: string) => stateKey(`link-code#${provider}#${codeHash}`);

export function createAccountLinkStore({
  dynamo,
  now,
}: Pick<StoreParts, 'dynamo' | 'now'>): AccountLinkStore {
  return {
    async get(provider, externalId) {
      const item = await dynamo.get('state', stateKey(partition(provider), externalId));
      return item && fromItem(accountLinkSchema, item);
    },

    async put(link) {
      const key = stateKey(partition(link.provider), link.external_id);
      await dynamo.put('state', { Item: { ...key, ...toItem(link) } });
    },

    async delete(provider, externalId) {
      return (await dynamo.remove('state', stateKey(partition(provider), externalId))) !== undefined;
    },

    async list(provider, prefix) {
      const items = await dynamo.query({
        table: 'state',
        partition: partition(provider),
        range: { prefix },
      });
      return items.map((item) => fromItem(accountLinkSchema, item));
    },

    async putCode(code) {
      const Item = {
        ...codeKey(code.provider, code.code_hash),
        ...toItem(code),
        ...expiry(code.expires_at_ms),
      };
      await dynamo.put('state', { Item, ConditionExpression: 'attribute_not_exists(pk)' });
    },

    async takeCode(provider, codeHash) {
      const { name, value, parts } = createExpression();
      // DynamoDB removes what has expired when it gets to it: until then it counts for nothing.
      const ConditionExpression = `${name('expires_at_ms')} > ${value(number(now()))}`;
      try {
        const taken = await dynamo.remove('state', codeKey(provider, codeHash), {
          ConditionExpression,
          ...parts(),
        });
        return taken && fromItem(linkCodeSchema, taken);
      } catch (error) {
        if (error instanceof ConditionFailed) return undefined;
        throw error;
      }
    },
  };
}

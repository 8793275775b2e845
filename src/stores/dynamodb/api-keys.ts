import { BgAgentError } from '../../task/errors.ts';
import { type ApiKeyStore, apiKeyRecordSchema } from '../api-key-store.ts';
import { createOwnedRecords } from './owned-records.ts';
import type { StoreParts } from './parts.ts';

export function createApiKeyStore({ dynamo }: Pick<StoreParts, 'dynamo'>): ApiKeyStore {
  const { remove: _, ...records } = createOwnedRecords({
    dynamo,
    kind: 'api-keys',
    schema: apiKeyRecordSchema,
    idOf: ({ key_id }) => key_id,
    notFound: (id) => new BgAgentError('API_KEY_NOT_FOUND', `no API key ${id}`),
  });
  return records;
}

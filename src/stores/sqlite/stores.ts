import type { Stores } from '../stores.ts';
import { createAccountLinkStore } from './account-links.ts';
import { createAdmission } from './admission.ts';
import { createApiKeyStore } from './api-keys.ts';
import { createDeliveryStore } from './deliveries.ts';
import { createEventLog, type StoreParts } from './event-log.ts';
import { createEventStore } from './events.ts';
import { createLeaseStore } from './leases.ts';
import { createMessageStore } from './messages.ts';
import { createNudgeStore } from './nudges.ts';
import { createOutcomeStore } from './outcomes.ts';
import { createRepoStore } from './repos.ts';
import { createTaskMoves } from './task-moves.ts';
import { createTaskRecords } from './tasks.ts';
import { createWakeupStore } from './wakeups.ts';
import { createWebhookStore } from './webhooks.ts';

export { storeMigrations } from './schema.ts';

/**
 * All stores over one database, which must have been opened with `storeMigrations`. `now`: milliseconds since 1970.
 * One set for a database: event ids are drawn in this process, and readers of events are told in it.
 */
export function createSqliteStores({ database, now }: Omit<StoreParts, 'log'>): Stores {
  const log = createEventLog({ database, now });
  return {
    tasks: {
      ...createTaskRecords({ database, log }),
      ...createTaskMoves({ database, log, now }),
      ...createAdmission({ database, log, now }),
    },
    events: createEventStore({ database, log }),
    wakeups: createWakeupStore({ database }),
    outcomes: createOutcomeStore({ database, log }),
    leases: createLeaseStore({ database, now }),
    repos: createRepoStore({ database }),
    apiKeys: createApiKeyStore({ database }),
    webhooks: createWebhookStore({ database }),
    nudges: createNudgeStore({ database, log }),
    deliveries: createDeliveryStore({ database, now }),
    messages: createMessageStore({ database }),
    accountLinks: createAccountLinkStore({ database, now }),
  };
}

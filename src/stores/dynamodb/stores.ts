import type { Stores } from '../stores.ts';
import { createAccountLinkStore } from './account-links.ts';
import { createAdmission } from './admission.ts';
import { createApiKeyStore } from './api-keys.ts';
import { createDeliveryStore } from './deliveries.ts';
import { createDynamo, type DynamoOptions } from './dynamo.ts';
import { createEventReaders } from './event-readers.ts';
import { createEventStore } from './events.ts';
import { createLeaseStore } from './leases.ts';
import { createMessageStore } from './messages.ts';
import { createNudgeStore } from './nudges.ts';
import { createOutcomeStore } from './outcomes.ts';
import type { StoreParts } from './parts.ts';
import { createRepoStore } from './repos.ts';
import { createSweep } from './sweep.ts';
import { createTaskLists } from './task-lists.ts';
import { createTaskMoves } from './task-moves.ts';
import { createTaskRecords } from './tasks.ts';
import { createWakeupStore } from './wakeups.ts';
import { createWebhookStore } from './webhooks.ts';

const DAY_MS = 86_400_000;

export interface DynamoStoresOptions extends DynamoOptions {
  /** Milliseconds since 1970. */
  now(): number;
  /** How long ended tasks and what belongs to them are kept. Default: 90. */
  retentionDays?: number;
  /** How often a task whose events are read here is looked at for what other processes added, in milliseconds. Default: 2,000. */
  watchMs?: number;
  /** Told when such a look failed. Default: nobody is, for the next one comes soon. */
  onWatchError?: (error: unknown) => void;
}

/**
 * All stores over the tables of `tables.ts`, for any number of processes. Errors of AWS become AWS_ACCESS_DENIED,
 * AWS_RESOURCE_MISSING and so on, with the permission or the setting to mend.
 */
export function createDynamoStores({
  now,
  retentionDays = 90,
  watchMs = 2_000,
  onWatchError = () => undefined,
  ...options
}: DynamoStoresOptions): Stores {
  const dynamo = createDynamo(options);
  const parts: StoreParts = {
    dynamo,
    readers: createEventReaders(),
    now,
    retentionMs: retentionDays * DAY_MS,
  };
  return {
    tasks: {
      ...createTaskRecords(parts),
      ...createTaskLists(dynamo),
      ...createTaskMoves(parts),
      ...createAdmission(parts),
      ...createSweep(dynamo),
    },
    events: createEventStore(parts, { watchMs, onError: onWatchError }),
    wakeups: createWakeupStore(parts),
    outcomes: createOutcomeStore(parts),
    leases: createLeaseStore(parts),
    repos: createRepoStore(parts),
    apiKeys: createApiKeyStore(parts),
    webhooks: createWebhookStore(parts),
    nudges: createNudgeStore(parts),
    deliveries: createDeliveryStore(parts),
    messages: createMessageStore(parts),
    accountLinks: createAccountLinkStore(parts),
  };
}

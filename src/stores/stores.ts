import type { AccountLinkStore } from './account-link-store.ts';
import type { ApiKeyStore } from './api-key-store.ts';
import type { DeliveryStore } from './delivery-store.ts';
import type { EventStore } from './event-store.ts';
import type { LeaseStore } from './lease-store.ts';
import type { MessageStore } from './message-store.ts';
import type { NudgeStore } from './nudge-store.ts';
import type { OutcomeStore } from './outcome-store.ts';
import type { RepoStore } from './repo-store.ts';
import type { TaskStore } from './task-store.ts';
import type { WakeupStore } from './wakeup-store.ts';
import type { WebhookStore } from './webhook-store.ts';

/** The database-backed stores of one deployment; `sqlite` implements them. Blobs and secrets are kept elsewhere. */
export interface Stores {
  tasks: TaskStore;
  events: EventStore;
  wakeups: WakeupStore;
  outcomes: OutcomeStore;
  leases: LeaseStore;
  repos: RepoStore;
  apiKeys: ApiKeyStore;
  webhooks: WebhookStore;
  nudges: NudgeStore;
  deliveries: DeliveryStore;
  messages: MessageStore;
  accountLinks: AccountLinkStore;
}

import type { Dynamo } from './dynamo.ts';
import type { EventReaders } from './event-readers.ts';
import { TTL_ATTRIBUTE } from './tables.ts';
import type { Item } from './values.ts';
import { number, text } from './values.ts';

/** What the parts of the stores work with. */
export interface StoreParts {
  dynamo: Dynamo;
  readers: EventReaders;
  /** Milliseconds since 1970. */
  now(): number;
  /** How long what belongs to an ended task is kept, in milliseconds. */
  retentionMs: number;
}

/** How long a task may live at most before its end counts: what is written at its begin must outlast it. */
const LONGEST_LIFE_MS = 7 * 86_400_000;

/** The attribute by which DynamoDB removes an item some time after this moment. */
export const expiry = (atMs: number): Item => ({ [TTL_ATTRIBUTE]: number(Math.ceil(atMs / 1_000)) });

/** The same for what belongs to a task that may still be alive. */
export const expiryOfPart = ({ now, retentionMs }: Pick<StoreParts, 'now' | 'retentionMs'>): Item =>
  expiry(now() + LONGEST_LIFE_MS + retentionMs);

/** A key of the table `state`. An item alone in its partition has the sort key `-`. */
export const stateKey = (pk: string, sk = '-'): Item => ({ pk: text(pk), sk: text(sk) });

/** Marks an item as a task's, to be found when the task goes. */
export const ofTask = (taskId: string, member: string): Item => ({
  _group: text(taskGroup(taskId)),
  _member: text(member),
});
export const taskGroup = (taskId: string): string => `task#${taskId}`;

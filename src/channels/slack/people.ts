import type { Actor } from '../channel.ts';
import { createLinkedAccounts, type LinkedAccountsOptions } from '../linked-accounts.ts';

/** Who a Slack user is here: an account is a user of one workspace. */
export interface People {
  /** Undefined: not linked, or linked with a key that is no longer good. */
  find(teamId: string, userId: string): Promise<Actor | undefined>;
  /** Links by a code that someone here asked for; undefined when it is wrong, used or too old. */
  link(teamId: string, userId: string, code: string): Promise<Actor | undefined>;
  unlink(teamId: string, userId: string): Promise<boolean>;
  /** Ends every link of a workspace that removed the app. */
  forgetTeam(teamId: string): Promise<void>;
}

export function createPeople(options: Omit<LinkedAccountsOptions, 'provider'>): People {
  const accounts = createLinkedAccounts({ ...options, provider: 'slack' });
  return {
    find: (teamId, userId) => accounts.find(`${teamId}/${userId}`),
    link: (teamId, userId, code) => accounts.link(`${teamId}/${userId}`, code),
    unlink: (teamId, userId) => accounts.unlink(`${teamId}/${userId}`),
    forgetTeam: (teamId) => accounts.forget(`${teamId}/`),
  };
}

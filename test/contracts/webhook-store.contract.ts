import { afterAll, beforeAll, expect } from 'vitest';
import type { WebhookRecord, WebhookStore } from '../../src/stores/webhook-store.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

const at = (minute: number): string => new Date(Date.UTC(2030, 0, 1, 10, minute)).toISOString();

const aWebhook = (fields: Partial<WebhookRecord> = {}): WebhookRecord => ({
  webhook_id: newTaskId(),
  user_id: 'user-1',
  name: 'nightly build',
  created_at: at(0),
  last_used_at: null,
  revoked_at: null,
  ...fields,
});

/** Signed ways in, and what came by them. */
export function webhookStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let webhooks: WebhookStore;
  beforeAll(async () => {
    harness = await create();
    webhooks = harness.stores.webhooks;
  });
  afterAll(() => harness.close());

  async function added(fields: Partial<WebhookRecord> = {}): Promise<WebhookRecord> {
    const webhook = aWebhook(fields);
    await webhooks.create(webhook);
    return webhook;
  }
  const claim = (webhookId: string, key: string, minute = 0, expires: number | null = null) =>
    webhooks.claimDelivery(webhookId, {
      signature: 'a1b2',
      key,
      at: at(minute),
      expiresAt: expires === null ? null : at(expires),
    });

  it('keeps a webhook as it is, and takes an id once', async () => {
    const webhook = await added();
    expect(await webhooks.get(webhook.webhook_id)).toEqual(webhook);
    expect(await webhooks.get('unknown')).toBeUndefined();
    await expect(webhooks.create({ ...webhook, user_id: 'somebody else' })).rejects.toThrow();
    expect(await webhooks.get(webhook.webhook_id)).toEqual(webhook);
  });

  it('lists own webhooks or all, page by page, and refuses a foreign token', async () => {
    const own = await create();
    try {
      const store = own.stores.webhooks;
      const mine = [aWebhook(), aWebhook(), aWebhook()];
      const theirs = aWebhook({ user_id: 'user-2' });
      for (const webhook of [...mine, theirs]) await store.create(webhook);
      const first = await store.list({ userId: 'user-1', limit: 2 });
      expect(first.items).toEqual(mine.slice(0, 2));
      const second = await store.list({ userId: 'user-1', limit: 2, nextToken: first.nextToken ?? '' });
      expect(second).toEqual({ items: mine.slice(2), nextToken: null });
      expect((await store.list({ limit: 10 })).items).toEqual([...mine, theirs]);
      await expect(store.list({ limit: 2, nextToken: 'x' })).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'next_token',
      });
    } finally {
      await own.close();
    }
  });

  it('revokes once', async () => {
    const webhook = await added();
    const answers = await Promise.all([1, 2, 3].map((n) => webhooks.revoke(webhook.webhook_id, at(n))));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await webhooks.get(webhook.webhook_id)).toEqual({
      ...webhook,
      revoked_at: at(answers.indexOf(true) + 1),
    });
    expect(await webhooks.revoke(webhook.webhook_id, at(9))).toBe(false);
    await expect(webhooks.revoke('unknown', at(1))).rejects.toMatchObject({ code: 'WEBHOOK_NOT_FOUND' });
  });

  it('notes the last use, to the minute, and never turns it back', async () => {
    const { webhook_id } = await added();
    const lastUse = async () => (await webhooks.get(webhook_id))?.last_used_at;
    await webhooks.touch(webhook_id, at(5));
    await webhooks.touch(webhook_id, '2030-01-01T10:05:59.000Z');
    expect(await lastUse()).toBe(at(5));
    await webhooks.touch(webhook_id, at(6));
    await webhooks.touch(webhook_id, at(1));
    expect(await lastUse()).toBe(at(6));
    await webhooks.touch('unknown', at(6));
  });

  it('tells a repeated delivery the key of the first, for good when it never expires', async () => {
    const { webhook_id } = await added();
    expect(await claim(webhook_id, 'first')).toEqual({ first: true, key: 'first', at: at(0) });
    expect(await claim(webhook_id, 'second', 500_000)).toEqual({ first: false, key: 'first', at: at(0) });
    const another = await added();
    expect(await claim(another.webhook_id, 'second', 2)).toMatchObject({ first: true, key: 'second' });
  });

  it('lets one of many at once be the first', async () => {
    const { webhook_id } = await added();
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((key) => claim(webhook_id, key, 0, 10)));
    expect(answers.filter(({ first }) => first)).toHaveLength(1);
    expect(new Set(answers.map(({ key }) => key)).size).toBe(1);
  });

  it('forgets a delivery when it expires, not before', async () => {
    const { webhook_id } = await added();
    await claim(webhook_id, 'old', 0, 10);
    expect(await claim(webhook_id, 'new', 9, 19)).toEqual({ first: false, key: 'old', at: at(0) });
    expect(await claim(webhook_id, 'new', 10, 20)).toEqual({ first: true, key: 'new', at: at(10) });
  });

  it('sweeps what was revoked or expired long ago, and nothing else (T8)', async () => {
    const own = await create();
    try {
      const store = own.stores.webhooks;
      const [old, older, live] = [aWebhook(), aWebhook(), aWebhook()];
      for (const webhook of [old, older, live]) await store.create(webhook);
      for (const { webhook_id } of [old, live])
        await store.claimDelivery(webhook_id, { signature: 's', key: 'kept', at: at(0), expiresAt: null });
      await store.revoke(older.webhook_id, at(1));
      await store.revoke(old.webhook_id, at(2));
      expect(await store.sweep(at(2), 10)).toEqual([older.webhook_id]);
      expect(await store.sweep(at(3), 10)).toEqual([old.webhook_id]);
      expect(await store.sweep(at(3), 10)).toEqual([]);
      expect((await store.list({ limit: 10 })).items).toEqual([live]);
      const again = (id: string) =>
        store.claimDelivery(id, { signature: 's', key: 'new', at: at(4), expiresAt: null });
      expect(await again(live.webhook_id)).toMatchObject({ first: false, key: 'kept' });
      expect(await again(old.webhook_id)).toMatchObject({ first: true, key: 'new' });
    } finally {
      await own.close();
    }
  });

  it('is the same after a restart', async () => {
    const own = await create();
    try {
      const webhook = aWebhook();
      await own.stores.webhooks.create(webhook);
      const delivery = { signature: 's', at: at(0), expiresAt: at(5) };
      await own.stores.webhooks.claimDelivery(webhook.webhook_id, { ...delivery, key: 'a' });
      const { webhooks: again } = await own.reopen();
      expect(await again.get(webhook.webhook_id)).toEqual(webhook);
      expect(await again.claimDelivery(webhook.webhook_id, { ...delivery, key: 'b' })).toMatchObject({
        first: false,
        key: 'a',
      });
    } finally {
      await own.close();
    }
  });
}

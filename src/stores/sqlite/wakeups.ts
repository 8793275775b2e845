import type { Database } from '../../sqlite/database.ts';
import type { WakeupStore } from '../wakeup-store.ts';

export function createWakeupStore({ database }: { database: Database }): WakeupStore {
  /** A signal on its way may be missed here: it stays, and wakes the task once more. */
  const isKept = (taskId: string): boolean =>
    database.get('SELECT 1 FROM wakeups WHERE task_id = ?', taskId) !== undefined;
  const remove = async (taskId: string): Promise<void> => {
    if (isKept(taskId))
      await database.write([{ sql: 'DELETE FROM wakeups WHERE task_id = ?', params: [taskId] }]);
  };

  return {
    async park(taskId, callbackId) {
      const [kept] = await database.write([
        {
          sql: `INSERT INTO wakeups (task_id, callback_id, signalled) VALUES (?, ?, 0)
                ON CONFLICT DO UPDATE SET callback_id = excluded.callback_id RETURNING signalled`,
          params: [taskId, callbackId],
          returns: true,
        },
      ]);
      return { pending: kept?.rows[0]?.signalled === 1 };
    },

    take: remove,

    async signal(taskId) {
      const [kept] = await database.write([
        {
          sql: `INSERT INTO wakeups (task_id, callback_id, signalled) VALUES (?, NULL, 1)
                ON CONFLICT DO UPDATE SET signalled = 1 RETURNING callback_id`,
          params: [taskId],
          returns: true,
        },
      ]);
      const callbackId = kept?.rows[0]?.callback_id;
      return typeof callbackId === 'string' ? callbackId : null;
    },

    forget: remove,
  };
}

import { channelContract } from '../contracts/channel.contract.ts';
import { aTask } from '../fixtures/task.ts';
import { createRecordingChannel } from './channel.ts';

channelContract({
  name: 'recording',
  create: async () => {
    const channel = createRecordingChannel();
    return {
      channel,
      task: (task_id) => aTask({ task_id }),
      visible: async (taskId) =>
        channel.sent.filter(({ task }) => task.task_id === taskId).map(({ type }) => type),
      fault: (...faults) => void channel.faults.push(...faults),
      close: async () => undefined,
    };
  },
});

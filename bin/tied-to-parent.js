// The launcher that started this process holds the other end of the channel: when it is gone, so is its right to run.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel?.unref();
delete process.send;

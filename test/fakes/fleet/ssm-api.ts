import type { SimCommands } from './commands.ts';
import { AwsError, type Modes, type SimCommand, type SimInstance } from './state.ts';

type Request = Record<string, unknown>;

interface Filter {
  key?: string;
  value?: string;
  Key?: string;
  Values?: string[];
}

/** Systems Manager's answers, by action (JSON 1.1). */
export function ssmApi({
  commands,
  instances,
  modes,
  pageSize,
}: {
  commands: SimCommands;
  instances: ReadonlyMap<string, SimInstance>;
  modes: Modes;
  pageSize: number;
}): Record<string, (request: Request) => unknown> {
  const paged = <T>(all: readonly T[], token: unknown): { items: T[]; NextToken?: string } => {
    const from = typeof token === 'string' && token !== '' ? Number(token) : 0;
    const rest = from + pageSize < all.length ? { NextToken: String(from + pageSize) } : {};
    return { items: all.slice(from, from + pageSize), ...rest };
  };
  const visible = (): SimCommand[] =>
    commands.all().filter(({ state }) => state.seen(modes.readDelayMs) !== undefined);

  return {
    SendCommand(request) {
      const command = commands.send(request as unknown as Parameters<SimCommands['send']>[0]);
      return { Command: { CommandId: command.id, Comment: command.comment, Status: 'Pending' } };
    },

    GetCommandInvocation({ CommandId, InstanceId }) {
      const command = visible().find(({ id, instanceId }) => id === CommandId && instanceId === InstanceId);
      const state = command?.state.seen(modes.readDelayMs);
      if (!state) throw new AwsError('InvocationDoesNotExist');
      return {
        CommandId,
        InstanceId,
        Status: state.status,
        StatusDetails: state.details,
        ResponseCode: state.code,
      };
    },

    ListCommands({ InstanceId, Filters = [], NextToken }) {
      const filters = new Map((Filters as Filter[]).map(({ key, value }) => [key, value ?? '']));
      const after = Date.parse(filters.get('InvokedAfter') ?? '1970-01-01T00:00:00Z');
      const document = filters.get('DocumentName');
      const stage = filters.get('ExecutionStage');
      const found = visible().filter(({ instanceId, document: name, state, sentAtMs }) => {
        const status = state.seen(modes.readDelayMs)?.status ?? '';
        const executing = ['Pending', 'InProgress', 'Cancelling'].includes(status);
        return (
          (InstanceId === undefined || instanceId === InstanceId) &&
          sentAtMs >= after &&
          (document === undefined || document.endsWith(`-${name}`)) &&
          (stage === undefined || (stage === 'Executing') === executing)
        );
      });
      const { items, ...next } = paged(found, NextToken);
      return { Commands: items.map(({ id, comment }) => ({ CommandId: id, Comment: comment })), ...next };
    },

    CancelCommand({ CommandId }) {
      commands.cancel(String(CommandId));
      return {};
    },

    DescribeInstanceInformation({ Filters = [], NextToken }) {
      const wanted = new Set((Filters as Filter[]).flatMap(({ Values = [] }) => Values));
      const known = [...instances.values()].filter(({ id, online }) => online && wanted.has(id));
      const { items, ...next } = paged(known, NextToken);
      return {
        InstanceInformationList: items.map(({ id }) => ({ InstanceId: id, PingStatus: 'Online' })),
        ...next,
      };
    },
  };
}

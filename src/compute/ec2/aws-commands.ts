import { setTimeout as delay } from 'node:timers/promises';
import { awsErrorName } from '../../aws/failure.ts';
import { BgAgentError } from '../../task/errors.ts';
import { type AwsRequest, awsFailure } from '../aws-failure.ts';
import { type AwsClients, type AwsCloudOptions, ask } from './aws.ts';
import type { Cloud, DocumentName, NewCommand } from './cloud.ts';

type Commands = Pick<
  Cloud,
  'sendCommand' | 'findCommand' | 'invocation' | 'executing' | 'cancelCommand' | 'online'
>;

/** Names of errors that say: come back later, nothing was done. */
const THROTTLED = ['ThrottlingException', 'Throttling', 'TooManyRequestsException', 'RequestLimitExceeded'];
const SEND_TRIES = 4;
const SEND_PAUSE_MS = 200;

/** How many instances one call of DescribeInstanceInformation may ask for. */
const PAGE = 50;

/** Run Command of Systems Manager. */
export function createCommands(clients: AwsClients, options: AwsCloudOptions): Commands {
  const { documentPrefix, random } = options;
  const nameOf = (document: DocumentName): string => `${documentPrefix}-${document}`;
  const request = (permission: string, what = 'Systems Manager'): AwsRequest => ({
    what,
    setting: 'ec2_document_prefix',
    permission,
  });

  async function send(command: NewCommand): Promise<string | undefined> {
    const { SendCommandCommand } = await import('@aws-sdk/client-ssm');
    const answer = await (await clients.ssmOnce()).send(
      new SendCommandCommand({
        DocumentName: nameOf(command.document),
        InstanceIds: [command.instanceId],
        Parameters: Object.fromEntries(
          Object.entries(command.parameters).map(([name, value]) => [name, [value]]),
        ),
        Comment: command.comment,
        TimeoutSeconds: command.deliveryTimeoutS,
      }),
    );
    return answer.Command?.CommandId;
  }

  return {
    async sendCommand(command) {
      const name = nameOf(command.document);
      for (let tries = 1; ; tries += 1) {
        try {
          const id = await send(command);
          if (id === undefined)
            throw new BgAgentError('COMPUTE_UNAVAILABLE', `${name}: Systems Manager named no command`);
          return id;
        } catch (error) {
          // Refused for now, so nothing was sent: the only failure that may be repeated without a look.
          if (tries < SEND_TRIES && THROTTLED.includes(awsErrorName(error)))
            await delay(SEND_PAUSE_MS * 2 ** tries * (0.5 + random() / 2));
          else throw sendFailure(error, name, command.instanceId);
        }
      }
    },

    async findCommand({ instanceId, comment, sinceMs }) {
      const { paginateListCommands } = await import('@aws-sdk/client-ssm');
      return ask(request('ssm:ListCommands'), async () => {
        const after = new Date(sinceMs).toISOString().replace(/\.\d+Z$/, 'Z');
        const pages = paginateListCommands(
          { client: await clients.ssm(), pageSize: 50 },
          { InstanceId: instanceId, Filters: [{ key: 'InvokedAfter', value: after }] },
        );
        for await (const { Commands = [] } of pages)
          for (const { CommandId, Comment } of Commands) if (Comment === comment) return CommandId;
        return undefined;
      });
    },

    async invocation(commandId, instanceId) {
      const { GetCommandInvocationCommand } = await import('@aws-sdk/client-ssm');
      const answer = await ask(
        request('ssm:GetCommandInvocation'),
        async () =>
          (await clients.ssm()).send(
            new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId }),
          ),
        { unless: ['InvocationDoesNotExist'], fallback: null },
      );
      return (
        answer?.Status && {
          status: answer.Status,
          statusDetails: answer.StatusDetails ?? '',
          responseCode: answer.ResponseCode ?? -1,
        }
      );
    },

    async executing(document) {
      const { paginateListCommands } = await import('@aws-sdk/client-ssm');
      return ask(request('ssm:ListCommands'), async () => {
        const ids = new Set<string>();
        const Filters = [
          { key: 'DocumentName' as const, value: nameOf(document) },
          { key: 'ExecutionStage' as const, value: 'Executing' },
        ];
        const pages = paginateListCommands({ client: await clients.ssm(), pageSize: 50 }, { Filters });
        for await (const { Commands = [] } of pages)
          for (const { CommandId } of Commands) if (CommandId !== undefined) ids.add(CommandId);
        return ids;
      });
    },

    async cancelCommand(commandId, instanceId) {
      const { CancelCommandCommand } = await import('@aws-sdk/client-ssm');
      await ask<unknown>(
        request('ssm:CancelCommand'),
        async () =>
          (await clients.ssm()).send(
            new CancelCommandCommand({ CommandId: commandId, InstanceIds: [instanceId] }),
          ),
        { unless: ['InvalidCommandId', 'InvalidInstanceId'], fallback: null },
      );
    },

    async online(instanceIds) {
      const { paginateDescribeInstanceInformation } = await import('@aws-sdk/client-ssm');
      return ask(request('ssm:DescribeInstanceInformation'), async () => {
        const ids = new Set<string>();
        for (let at = 0; at < instanceIds.length; at += PAGE) {
          const pages = paginateDescribeInstanceInformation(
            { client: await clients.ssm() },
            { Filters: [{ Key: 'InstanceIds', Values: instanceIds.slice(at, at + PAGE) }] },
          );
          for await (const { InstanceInformationList = [] } of pages)
            for (const { InstanceId, PingStatus } of InstanceInformationList)
              if (InstanceId !== undefined && PingStatus === 'Online') ids.add(InstanceId);
        }
        return ids;
      });
    },
  };
}

/** What only SendCommand can say. */
function sendFailure(error: unknown, document: string, instanceId: string): BgAgentError {
  const said: Readonly<Record<string, string>> = {
    InvalidDocument: `document ${document} is not there: check the settings ec2_document_prefix and aws_region, and deploy the fleet's documents`,
    InvalidDocumentVersion: `document ${document} is of another version: deploy the documents of this version`,
    InvalidParameters: `document ${document} takes other parameters, so it is of another version: deploy the documents of this version`,
  };
  const name = awsErrorName(error);
  const text = said[name];
  if (text !== undefined) return new BgAgentError('COMPUTE_MISCONFIGURED', text, { cause: error });
  if (name === 'InvalidInstanceId')
    return new BgAgentError('COMPUTE_UNAVAILABLE', `Systems Manager does not reach instance ${instanceId}`, {
      cause: error,
    });
  return awsFailure(error, {
    what: `document ${document}`,
    setting: 'ec2_document_prefix',
    permission: 'ssm:SendCommand',
  });
}

import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  InvalidRequestException,
  ListSecretsCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  RestoreSecretCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { awsFailure } from '../../aws/failure.ts';
import { BgAgentError } from '../../task/errors.ts';
import { checkedSecretName } from '../secret-names.ts';
import type { SecretStore } from '../secret-store.ts';

export interface SecretsManagerOptions {
  client: SecretsManagerClient;
  /** Before every name: `bgagent/`. */
  prefix: string;
  /** The KMS key that they are encrypted with. Default: the account's key for Secrets Manager. */
  keyId?: string;
  /** For how many days a deleted secret can be brought back in the console; 7 to 30. Default: 7. */
  recoveryDays?: number;
}

const MAX_BYTES = 65_536;

/** Secrets of AWS Secrets Manager. Putting one that was deleted brings it back with the new value. */
export function createSecretsManagerSecrets({
  client,
  prefix,
  keyId,
  recoveryDays = 7,
}: SecretsManagerOptions): SecretStore {
  const idOf = (name: string): string => prefix + checkedSecretName(name);

  const failure = (error: unknown, action: string, id: string): BgAgentError =>
    awsFailure(error, { action: `secretsmanager:${action}`, resource: `secret ${id}`, setting: '`prefix`' });

  /** The answer, or undefined when there is no such secret: never made, or deleted. */
  async function find<T>(action: string, id: string, send: () => Promise<T>): Promise<T | undefined> {
    try {
      return await send();
    } catch (error) {
      if (error instanceof ResourceNotFoundException || error instanceof InvalidRequestException)
        return undefined;
      throw failure(error, action, id);
    }
  }

  /** False when somebody else made it meanwhile. */
  async function create(Name: string, SecretString: string): Promise<boolean> {
    try {
      await client.send(
        new CreateSecretCommand({ Name, SecretString, ...(keyId !== undefined && { KmsKeyId: keyId }) }),
      );
      return true;
    } catch (error) {
      if (error instanceof ResourceExistsException) return false;
      throw failure(error, 'CreateSecret', Name);
    }
  }

  return {
    async get(name) {
      const SecretId = idOf(name);
      const found = await find('GetSecretValue', SecretId, () =>
        client.send(new GetSecretValueCommand({ SecretId })),
      );
      return found?.SecretString;
    },

    async put(name, value) {
      const SecretId = idOf(name);
      const bytes = Buffer.byteLength(value);
      if (bytes === 0 || bytes > MAX_BYTES)
        throw new BgAgentError(
          'VALIDATION_ERROR',
          `value: ${name} must have 1 to ${MAX_BYTES} bytes in Secrets Manager, not ${bytes}`,
          { field: 'value' },
        );
      const known = await find('DescribeSecret', SecretId, () =>
        client.send(new DescribeSecretCommand({ SecretId })),
      );
      if (!known && (await create(SecretId, value))) return;
      try {
        if (known?.DeletedDate) await client.send(new RestoreSecretCommand({ SecretId }));
        await client.send(new PutSecretValueCommand({ SecretId, SecretString: value }));
      } catch (error) {
        throw failure(error, known?.DeletedDate ? 'RestoreSecret' : 'PutSecretValue', SecretId);
      }
    },

    async delete(name) {
      const SecretId = idOf(name);
      await find('DeleteSecret', SecretId, () =>
        client.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: recoveryDays })),
      );
    },

    async list() {
      const names: string[] = [];
      let token: string | undefined;
      do {
        const page = await client
          .send(
            new ListSecretsCommand({
              Filters: [{ Key: 'name', Values: [prefix] }],
              ...(token !== undefined && { NextToken: token }),
            }),
          )
          .catch((error: unknown) => {
            throw failure(error, 'ListSecrets', `${prefix}*`);
          });
        // The filter takes words and makes no difference between upper and lower case.
        for (const { Name, DeletedDate } of page.SecretList ?? [])
          if (Name?.startsWith(prefix) && !DeletedDate) names.push(Name.slice(prefix.length));
        token = page.NextToken;
      } while (token !== undefined);
      return names.sort();
    },
  };
}

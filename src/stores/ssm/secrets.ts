import {
  DeleteParameterCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { awsFailure } from '../../aws/failure.ts';
import { BgAgentError } from '../../task/errors.ts';
import { checkedSecretName } from '../secret-names.ts';
import type { SecretStore } from '../secret-store.ts';

export interface SsmSecretsOptions {
  client: SSMClient;
  /** The path below which the secrets are: `/bgagent`. Begins with a slash and doesn't end in one. */
  path: string;
  /** The KMS key that they are encrypted with. Default: the account's key for Parameter Store (`alias/aws/ssm`). */
  keyId?: string;
}

/** Bytes of a value: what an advanced parameter takes. Up to 4 KB it stays a standard one, which costs nothing. */
const MAX_BYTES = 8_192;

/** Secrets as parameters of type SecureString, below a path. */
export function createSsmSecrets({ client, path, keyId }: SsmSecretsOptions): SecretStore {
  const parameterOf = (name: string): string => `${path}/${checkedSecretName(name)}`;

  async function call<T>(action: string, resource: string, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (error instanceof ParameterNotFound) throw error;
      throw awsFailure(error, {
        action: `ssm:${action}`,
        resource: `parameter ${resource}`,
        setting: '`path`',
      });
    }
  }
  const unlessMissing = async <T>(reading: Promise<T>): Promise<T | undefined> => {
    try {
      return await reading;
    } catch (error) {
      if (error instanceof ParameterNotFound) return undefined;
      throw error;
    }
  };

  return {
    async get(name) {
      const Name = parameterOf(name);
      const found = await unlessMissing(
        call('GetParameter', Name, () =>
          client.send(new GetParameterCommand({ Name, WithDecryption: true })),
        ),
      );
      return found?.Parameter?.Value;
    },

    async put(name, value) {
      const Name = parameterOf(name);
      const bytes = Buffer.byteLength(value);
      if (bytes === 0 || bytes > MAX_BYTES)
        throw new BgAgentError(
          'VALIDATION_ERROR',
          `value: ${name} must have 1 to ${MAX_BYTES} bytes in Parameter Store, not ${bytes}`,
          { field: 'value' },
        );
      await call('PutParameter', Name, () =>
        client.send(
          new PutParameterCommand({
            Name,
            Value: value,
            Type: 'SecureString',
            Overwrite: true,
            Tier: 'Intelligent-Tiering',
            ...(keyId !== undefined && { KeyId: keyId }),
          }),
        ),
      );
    },

    async delete(name) {
      const Name = parameterOf(name);
      await unlessMissing(
        call('DeleteParameter', Name, () => client.send(new DeleteParameterCommand({ Name }))),
      );
    },

    async list() {
      const names: string[] = [];
      let token: string | undefined;
      do {
        // Not decrypted: nobody asked for the values.
        const page = await call('GetParametersByPath', `${path}/*`, () =>
          client.send(
            new GetParametersByPathCommand({
              Path: path,
              Recursive: true,
              WithDecryption: false,
              ...(token !== undefined && { NextToken: token }),
            }),
          ),
        );
        for (const { Name } of page.Parameters ?? []) if (Name) names.push(Name.slice(path.length + 1));
        token = page.NextToken;
      } while (token !== undefined);
      return names.sort();
    },
  };
}

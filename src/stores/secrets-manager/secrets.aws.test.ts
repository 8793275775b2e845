import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { clientConfig, describeOn, moto, uniqueName } from '../../../test/aws/harness.ts';
import { secretStoreContract } from '../../../test/contracts/secret-store.contract.ts';
import { createSecretsManagerSecrets } from './secrets.ts';

describeOn(moto, 'secrets in Secrets Manager', () => {
  const open = () => {
    const client = new SecretsManagerClient(clientConfig(moto));
    const prefix = `${uniqueName('bgagent')}/`;
    return { client, prefix, secrets: createSecretsManagerSecrets({ client, prefix }) };
  };

  secretStoreContract({
    name: 'secrets-manager',
    create: async () => {
      const { client, secrets } = open();
      return { secrets, close: async () => client.destroy() };
    },
  });

  it('can be brought back for a while after they were deleted, and be put again at once', async () => {
    const { client, prefix, secrets } = open();
    await secrets.put('token', 'one');
    await secrets.delete('token');
    const deleted = await client.send(new DescribeSecretCommand({ SecretId: `${prefix}token` }));
    expect(deleted.DeletedDate).toBeInstanceOf(Date);
    await secrets.put('token', 'two');
    expect(await secrets.get('token')).toBe('two');
    expect(await secrets.list()).toEqual(['token']);
    client.destroy();
  });
});

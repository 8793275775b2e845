import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { clientConfig, describeOn, moto, uniqueName } from '../../../test/aws/harness.ts';
import { secretStoreContract } from '../../../test/contracts/secret-store.contract.ts';
import { createSsmSecrets } from './secrets.ts';

describeOn(moto, 'secrets in Parameter Store', () => {
  const open = () => {
    const client = new SSMClient(clientConfig(moto));
    const path = `/${uniqueName('bgagent')}`;
    return { client, path, secrets: createSsmSecrets({ client, path }) };
  };

  secretStoreContract({
    name: 'ssm',
    create: async () => {
      const { client, secrets } = open();
      return { secrets, close: async () => client.destroy() };
    },
  });

  it('are encrypted, below their path', async () => {
    const { client, path, secrets } = open();
    await secrets.put('forge/token', 'hunter2');
    const raw = await client.send(new GetParameterCommand({ Name: `${path}/forge/token` }));
    expect(raw.Parameter).toMatchObject({ Type: 'SecureString' });
    expect(raw.Parameter?.Value).not.toBe('hunter2');
    client.destroy();
  });

  it('may be as long as an advanced parameter, and not empty', async () => {
    const { client, secrets } = open();
    const long = 'x'.repeat(8_192);
    await secrets.put('long', long);
    expect(await secrets.get('long')).toBe(long);
    for (const wrong of ['', `${long}x`])
      await expect(secrets.put('wrong', wrong)).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'value',
        message: expect.not.stringContaining('xxx'),
      });
    client.destroy();
  });
});

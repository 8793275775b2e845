import { type Client, createClient } from '../api/client.ts';
import { readClientFile } from '../config/client-file.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';

/**
 * The platform's client: address and key from the options, the environment, or the file that `bgagent up` wrote, the first
 * that has one. A key from the file goes only to the address in the file.
 */
export async function connect(
  cli: Pick<Cli, 'options' | 'environment' | 'dataDir' | 'signal'>,
): Promise<Client> {
  const { apiUrl, apiKey } = await findPlatform(cli);
  return createClient({ apiUrl, apiKey, signal: cli.signal });
}

export async function findPlatform({
  options,
  environment,
  dataDir,
}: Pick<Cli, 'options' | 'environment' | 'dataDir'>): Promise<{ apiUrl: string; apiKey: string }> {
  const givenUrl = options.apiUrl ?? environment.apiUrl;
  const givenKey = options.apiKey ?? environment.apiKey;
  if (givenUrl !== undefined && givenKey !== undefined) return { apiUrl: givenUrl, apiKey: givenKey };

  const file = await readClientFile(dataDir);
  const apiUrl = givenUrl ?? file?.api_url;
  if (apiUrl === undefined) {
    throw new BgAgentError(
      'SERVICE_UNAVAILABLE',
      `no platform is known: no --api-url, and none was started with ${dataDir}`,
    );
  }
  const fits = file !== undefined && sameAddress(file.api_url, apiUrl);
  const apiKey = givenKey ?? (fits ? file.api_key : undefined);
  if (apiKey === undefined) {
    throw new BgAgentError(
      'UNAUTHORIZED',
      `no API key for ${apiUrl}: give it with --api-key or BGAGENT_API_KEY`,
    );
  }
  return { apiUrl, apiKey };
}

const sameAddress = (a: string, b: string): boolean => URL.parse(a)?.href === URL.parse(b)?.href;

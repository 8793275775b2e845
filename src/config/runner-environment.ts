/** What the runner's tools need of the environment: to be found, to speak, and to reach remotes. */
const NAMES = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
] as const;

export const runnerEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));

/**
 * The signed address of the bootstrap, where the runner was started without a file. A secret, so it's taken out of the
 * environment that what this process starts would get.
 */
export function takeBootstrapAddress(): string | undefined {
  const address = process.env.BGAGENT_BOOTSTRAP_URL;
  delete process.env.BGAGENT_BOOTSTRAP_URL;
  return address || undefined;
}

/** AgentCore asks at 8080; tests run several services on one machine. 0 = any free port. */
export const servicePort = (): number => Number(process.env.BGAGENT_SERVICE_PORT ?? 8_080);

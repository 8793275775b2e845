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

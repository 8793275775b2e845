import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Launch, OnBlocked, Sandbox, SandboxedCommand, SandboxPolicy } from './sandbox.ts';

/**
 * The sandbox of @anthropic-ai/sandbox-runtime. The library's state is global to the process: one sandbox at a time.
 *
 * What it builds is built once, for a script that runs the command line of its environment, so that it can be done while the
 * clone is still under way. Without allowed hosts there is no proxy: the network namespace has nothing in it, and only the
 * part of the library that writes bubblewrap's arguments is loaded (a third of its start-up time).
 */
export async function createSrtSandbox(policy: SandboxPolicy, onBlocked: OnBlocked): Promise<Sandbox> {
  // The library guards settings files (.bashrc, .vscode, …) in its working directory and puts mount points there. In a
  // throw-away work tree there is nothing to guard, and the agent may well have to change them.
  const empty = join(policy.scratch, 'empty');
  await mkdir(empty, { recursive: true, mode: 0o700 });
  process.chdir(empty);
  const opened = { ...policy, readable: [...policy.readable, ...(await helperFolder())] };
  const needsLibrary =
    policy.egress.length > 0 || policy.gatewayPort !== null || process.platform !== 'linux';
  const library = await (needsLibrary ? withProxy(opened, onBlocked) : withoutNetwork(opened));
  const wrapped = process.platform === 'linux' ? withoutKernelSettings(library.wrapped) : library.wrapped;
  return {
    type: 'srt',
    containsProcesses: process.platform === 'linux',
    async wrap({ commandLine, environment }: SandboxedCommand): Promise<Launch> {
      return {
        file: '/bin/sh',
        // In place of the shell: bubblewrap dies with its parent, which must be this process.
        args: ['-c', `exec ${wrapped}`],
        environment: { ...environment, [COMMAND_LINE]: commandLine },
      };
    },
    close: library.close,
  };
}

/**
 * Where the helper lies that takes Unix sockets and namespaces from the command: it's started inside, and bgagent may well be
 * installed below a home or /tmp. Without it the library would go on with less protection; this doesn't.
 */
async function helperFolder(): Promise<string[]> {
  if (process.platform !== 'linux') return [];
  const { getApplySeccompBinaryPath } = await import(
    '@anthropic-ai/sandbox-runtime/dist/sandbox/generate-seccomp-filter.js'
  );
  const helper = getApplySeccompBinaryPath();
  if (helper === null) throw new Error(`the helper apply-seccomp is missing for ${process.arch}`);
  return [dirname(helper)];
}

/**
 * bubblewrap's own /proc leaves the kernel's settings writable for root, whatever rights it has given up: a way to run programs
 * on the machine. So they are mounted once more, read-only.
 */
function withoutKernelSettings(wrapped: string): string {
  const [before, after] = wrapped.split(MOUNT_OF_PROC, 2);
  if (before === undefined || after === undefined)
    throw new Error('the kernel’s settings could not be made read-only for the agent');
  return `${before}${MOUNT_OF_PROC}--ro-bind /proc/sys /proc/sys --ro-bind-try /proc/sysrq-trigger /proc/sysrq-trigger ${wrapped.slice(before.length + MOUNT_OF_PROC.length)}`;
}

const MOUNT_OF_PROC = ' --proc /proc ';

interface Library {
  /** For `sh -c`. */
  wrapped: string;
  close(): Promise<void>;
}

async function withoutNetwork(policy: SandboxPolicy): Promise<Library> {
  const { cleanupBwrapMountPoints, wrapCommandWithSandboxLinux } = await import(
    '@anthropic-ai/sandbox-runtime/dist/sandbox/linux-sandbox-utils.js'
  );
  const wrapped = await wrapCommandWithSandboxLinux({
    command: script(policy),
    commandId: 'agent',
    needsNetworkRestriction: true,
    readConfig: {
      denyOnly: [],
      literalDenyOnly: [...policy.denyRead],
      literalAllowWithinDeny: [...policy.readable],
    },
    writeConfig: { allowOnly: [], literalAllowOnly: [...policy.writable], denyWithinAllow: [] },
    binShell: '/bin/sh',
  });
  return { wrapped, close: async () => cleanupBwrapMountPoints({ force: true }) };
}

async function withProxy(policy: SandboxPolicy, onBlocked: OnBlocked): Promise<Library> {
  const { SandboxManager } = await import('@anthropic-ai/sandbox-runtime');
  const config = {
    network: { allowedDomains: allowedHosts(policy), deniedDomains: [] },
    filesystem: {
      denyRead: policy.denyRead.map(literal),
      allowRead: policy.readable.map(literal),
      allowWrite: policy.writable.map(literal),
      // The library lets every command write there: a way from one task to another.
      denyWrite: ['/tmp/claude', '/private/tmp/claude'],
    },
  };
  // Asked about hosts that no rule allows. A release that doesn't know of reasons would take one for a yes.
  const refuse = async ({ host }: { host: string }) => {
    onBlocked(host);
    return SandboxManager.askCallbackDenyReason ? { allow: false as const, reason: NOT_ALLOWED } : false;
  };
  await SandboxManager.initialize(config, refuse);
  // Proxies are reached by a socket in the folder for temporary files, which is hidden.
  const sockets = [SandboxManager.getLinuxHttpSocketPath(), SandboxManager.getLinuxSocksSocketPath()].filter(
    (path) => path !== undefined,
  );
  const filesystem = {
    ...config.filesystem,
    allowRead: [...config.filesystem.allowRead, ...sockets.map(literal)],
  };
  const wrapped = await SandboxManager.wrapWithSandbox(
    script(policy),
    '/bin/sh',
    { ...config, filesystem },
    undefined,
    {
      commandId: 'agent',
      commandText: 'agent',
    },
  );
  return { wrapped, close: () => SandboxManager.reset() };
}

/** Agents read it in the proxy's answer. */
const NOT_ALLOWED = 'host is not on the allow list of this repository: do without it';

const COMMAND_LINE = 'BGAGENT_COMMAND_LINE';

/** The gateway's port and no other: what else listens on this machine is none of the agent's business. */
const allowedHosts = ({ egress, gatewayPort }: SandboxPolicy): string[] =>
  gatewayPort === null ? [...egress] : [...egress, `127.0.0.1:${gatewayPort}`];

const script = ({ writable: [workTree = '/'], tmp, gatewayPort }: SandboxPolicy): string =>
  [
    ...(gatewayPort === null ? [] : wayToGateway(gatewayPort)),
    `cd ${quote(workTree)} || exit 126`,
    // The library sets a folder of its own that all commands share.
    `TMPDIR=${quote(tmp)}; export TMPDIR`,
    `c=$${COMMAND_LINE}; unset ${COMMAND_LINE}`,
    'exec /bin/sh -c "$c"',
  ].join('\n');

/**
 * The network namespace has a loopback of its own. On it a forwarder takes the gateway's place and passes connections on by the
 * sandbox's proxy, so that any agent finds the gateway, whatever it thinks of proxies; servers that the agent starts for
 * itself stay reachable, too. On macOS there is no such namespace: there the proxy has to be used for loopback as well.
 */
function wayToGateway(port: number): string[] {
  if (process.platform !== 'linux') return ['NO_PROXY= no_proxy=; export NO_PROXY no_proxy'];
  return [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    'p=${HTTP_PROXY#http://}; q=${p##*:}',
    // The user name is written as in a URL there.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    'case $p in *@*) a=",proxyauth=$(printf %s "${p%@*}" | sed s/%3D/=/g)";; *) a=;; esac',
    `socat TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr "PROXY:localhost:127.0.0.1:${port},proxyport=$q$a" </dev/null >/dev/null 2>&1 &`,
    // It listens within milliseconds, and there is nothing to be done about it if it doesn't.
    `n=0; while [ $n -lt 200 ] && ! socat /dev/null TCP:127.0.0.1:${port} 2>/dev/null; do n=$((n+1)); sleep 0.01; done`,
  ];
}

/** A path as it is: characters that would make it a pattern have no meaning. */
const literal = (path: string): { path: string; literal: true } => ({ path, literal: true });

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
